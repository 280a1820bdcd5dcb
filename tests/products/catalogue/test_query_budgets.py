"""SQL queries of a page stay the same however many rows there are."""

import pytest
from django.urls import reverse

from products.live import viewers
from tests.support.factories import (
    make_basket,
    make_category,
    make_full_basket,
    make_user,
    make_variants,
)

pytestmark = pytest.mark.django_db

# The basket reads its lines, the tax rates and the zones of delivery.
BUDGETS = {"index": 8, "list": 6, "category": 6, "detail": 5, "basket": 6}


@pytest.fixture(params=["visitor", "member"])
def shopper(request, client) -> viewers.Owner:
    """Who has a basket: with a session of their own, or signed in."""
    if request.param == "member":
        user = make_user()
        client.force_login(user)
        return viewers.Owner(user_id=user.pk)
    session = client.session
    session[viewers.BASKET_TOKEN] = "abc"
    session.save()
    return viewers.Owner(token="abc")


@pytest.fixture(params=[10, 1000])
def variants(request, shopper):
    for _ in range(request.param // 100):
        make_category()
    variants = make_variants(request.param, on_hand=3)
    make_full_basket(shopper, variants[:100])
    return variants


def addresses(variants) -> dict[str, str]:
    return {
        "index": "/",
        "list": reverse("products:list") + "?sort=price&q=vase",
        "category": variants[0].product.category.get_absolute_url(),
        "detail": variants[0].get_absolute_url(),
        "basket": reverse("products:basket"),
    }


@pytest.mark.parametrize("page", BUDGETS)
def test_page_stays_within_its_budget_of_queries(
    client, variants, page, django_assert_max_num_queries
):
    address = addresses(variants)[page]

    with django_assert_max_num_queries(BUDGETS[page]):
        response = client.get(address)

    # The premise: it shows rows, and the visitor's own basket.
    assert any(f">{variant.name}</" in response.text for variant in variants)
    assert f'basket-badge__count">{min(len(variants), 100)}<' in response.text


def test_add_stays_within_its_budget_of_queries(
    client, shopper, django_assert_max_num_queries
):
    variant, *others = make_variants(50)
    make_full_basket(shopper, others)
    make_basket(shopper, {variant: 1})

    with django_assert_max_num_queries(16):
        client.post(
            reverse("products:basket-add", args=[variant.pk]),
            headers={"Accept": "application/json"},
        )
