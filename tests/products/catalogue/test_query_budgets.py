"""SQL queries of a page stay the same however many rows there are."""

import pytest
from django.urls import reverse

from products.live import viewers
from tests.support.factories import (
    make_basket,
    make_category,
    make_full_basket,
    make_products,
    make_user,
)

pytestmark = pytest.mark.django_db

BUDGETS = {"index": 8, "list": 6, "category": 6, "detail": 5, "basket": 5}


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
def products(request, shopper):
    for _ in range(request.param // 100):
        make_category()
    products = make_products(request.param, on_hand=3)
    make_full_basket(shopper, products[:100])
    return products


def addresses(products) -> dict[str, str]:
    return {
        "index": "/",
        "list": reverse("products:list") + "?sort=price&q=vase",
        "category": products[0].category.get_absolute_url(),
        "detail": products[0].get_absolute_url(),
        "basket": reverse("products:basket"),
    }


@pytest.mark.parametrize("page", BUDGETS)
def test_page_stays_within_its_budget_of_queries(
    client, products, page, django_assert_max_num_queries
):
    address = addresses(products)[page]

    with django_assert_max_num_queries(BUDGETS[page]):
        response = client.get(address)

    # The premise: it shows rows, and the visitor's own basket.
    assert any(f">{product.name}</" in response.text for product in products)
    assert f'basket-badge__count">{min(len(products), 100)}<' in response.text


def test_add_stays_within_its_budget_of_queries(
    client, shopper, django_assert_max_num_queries
):
    product, *others = make_products(50)
    make_full_basket(shopper, others)
    make_basket(shopper, {product: 1})

    with django_assert_max_num_queries(16):
        client.post(
            reverse("products:basket-add", args=[product.pk]),
            headers={"Accept": "application/json"},
        )
