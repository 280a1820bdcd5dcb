"""Discounts in the admin."""

import pytest
from django.urls import reverse

from products.models import Discount
from tests.support.factories import (
    make_category,
    make_discount,
    make_order,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db

ADD = reverse("admin:products_discount_add")
LIST = reverse("admin:products_discount_changelist")


@pytest.fixture
def boss(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def page_of(discount: Discount, page: str = "change") -> str:
    return reverse(f"admin:products_discount_{page}", args=[discount.pk])


def form(**fields: str) -> dict:
    return {
        "name": "Spring",
        "code": "spring",
        "percent": "10",
        "minimum": "0",
        "starts_at_0": "2026-01-01",
        "starts_at_1": "12:00:01",
    } | fields


def test_discount_is_saved_with_its_code_in_capital_letters(boss):
    assert boss.post(ADD, form(uses_limit="5")).status_code == 302

    discount = Discount.objects.get()
    assert (discount.code, discount.percent, discount.uses_limit) == ("SPRING", 10, 5)


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"percent": ""}, "Enter a percentage or an amount, and not both."),
        ({"amount": "5"}, "Enter a percentage or an amount, and not both."),
        ({"percent": "0"}, "greater than or equal to 0.01"),
        ({"percent": "100.01"}, "less than or equal to 100"),
        ({"percent": "", "amount": "0"}, "greater than or equal to 0.01"),
        ({"percent": "", "amount": "1.005"}, "no more than 2 decimal places"),
        ({"minimum": "-1"}, "greater than or equal to 0"),
        ({"minimum": "a lot"}, "Enter a number."),
        ({"uses_limit": "0"}, "greater than or equal to 1"),
        ({"uses_each": "1", "code": ""}, "This limit needs a code."),
        ({"code": "a b"}, "Use capital letters, digits and hyphens."),
        ({"code": "Taken"}, "Another discount has this code."),
        ({"is_on_lines": "on"}, "Choose products, categories or variants."),
        ({"variants": "LAMP"}, "Only a discount on lines can be for some products."),
        ({"is_on_lines": "on", "variants": "NO"}, "no variant with the SKU “NO”"),
        (
            {"ends_at_0": "2026-01-01", "ends_at_1": "12:00:01"},
            "The end must be after the start.",
        ),
    ],
)
def test_discount_with_a_wrong_value_says_what_is_wrong_and_saves_nothing(
    boss, fields, error
):
    make_discount(code="TAKEN")
    make_variant(sku="LAMP")

    response = boss.post(ADD, form(**fields))

    assert error in response.text
    assert Discount.objects.count() == 1


def test_discount_on_lines_is_saved_with_its_goods(boss):
    lamp, shelf = make_variant(sku="LAMP"), make_category()
    goods = {"variants": "LAMP", "categories": [shelf.pk], "is_on_lines": "on"}

    assert (
        boss.post(ADD, form(**goods, products=str(lamp.product.pk))).status_code == 302
    )

    discount = Discount.objects.get()
    assert discount.is_on_lines
    assert list(discount.variants.all()) == [lamp]
    assert list(discount.products.all()) == [lamp.product]
    assert list(discount.categories.all()) == [shelf]


def test_discount_is_changed_and_keeps_its_code_and_uses(boss):
    discount = make_discount(uses=2)

    page = boss.get(page_of(discount)).context["adminform"].form
    sent = form(percent="15", code="OTHER") | {
        name: page[name].value() for name in page.fields if name.startswith("_")
    }
    assert boss.post(page_of(discount), sent).status_code == 302

    discount.refresh_from_db()
    assert (discount.code, discount.percent, discount.uses) == ("SPRING", 15, 2)


def test_list_shows_what_a_discount_takes_off_and_how_often_it_was_used(boss):
    make_discount(uses_limit=5, uses=2)
    make_discount(code="", name="Week", amount="3.50", uses_limit=1, uses=1)

    page = boss.get(LIST).text

    for text in ("SPRING", "−10 %", "2 / 5", "running", "Week", "−€3.50", "used up"):
        assert text in page


def test_action_ends_discounts(boss):
    discount = make_discount()

    sent = {"action": "end_now", "_selected_action": [discount.pk]}
    page = boss.post(LIST, sent, follow=True).text

    assert "“SPRING” has ended." in page
    discount.refresh_from_db()
    assert discount.ends_at is not None


def test_discount_that_an_order_has_cannot_be_deleted(boss):
    free, used = make_discount(code="FREE"), make_discount()
    used.orders.create(order=make_order(), person="u1")

    assert boss.post(page_of(used, "delete"), {"post": "yes"}).status_code == 403
    assert boss.post(page_of(free, "delete"), {"post": "yes"}).status_code == 302

    assert list(Discount.objects.all()) == [used]
