"""Sales in the admin."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from products.models import PriceChange, Sale, Variant
from products.pricing import clock, flips
from tests.support.factories import (
    make_category,
    make_options,
    make_sale,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db

ADD = reverse("admin:products_sale_add")
LIST = reverse("admin:products_sale_changelist")


@pytest.fixture
def boss(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def change_page(sale: Sale) -> str:
    return reverse("admin:products_sale_change", args=[sale.pk])


def form(*products: int, **fields: str) -> dict:
    return {
        "name": "Winter",
        "percent": "20",
        "starts_at_0": "2026-01-01",
        "starts_at_1": "12:00:01",
        "products": ",".join(map(str, products)),
    } | fields


def test_sale_of_a_product_and_a_category_is_saved_and_reduces_both(boss):
    lamp, jug, shelf = make_variant(), make_variant(), make_category()
    vase = make_variant(category=shelf)

    response = boss.post(ADD, form(lamp.product.pk, categories=[shelf.pk]))
    flips.settle_all()

    assert response.status_code == 302
    sale = Sale.objects.get()
    assert (sale.percent, sale.starts_at.second) == (20, 1)
    prices = [Variant.objects.get(pk=v.pk).price for v in (lamp, vase, jug)]
    assert prices == [Decimal("10.00"), Decimal("10.00"), Decimal("12.50")]


def test_sale_of_single_variants_by_their_skus_reduces_only_those(boss):
    red, blue, green = make_options(
        *({"sku": name, "option_values": [name]} for name in ("RED", "BLUE", "GREEN")),
        names=["Colour"],
    )

    boss.post(ADD, form(variants="RED,\n GREEN\n"))
    flips.settle_all()

    prices = [Variant.objects.get(pk=v.pk).price for v in (red, blue, green)]
    assert prices == [Decimal("10.00"), Decimal("12.50"), Decimal("10.00")]
    page = boss.get(change_page(Sale.objects.get())).text
    assert "RED\nGREEN</textarea>" in page


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"percent": ""}, "Enter a percentage or a reduced price, and not both."),
        (
            {"reduced_price": "5"},
            "Enter a percentage or a reduced price, and not both.",
        ),
        ({"percent": "0"}, "greater than or equal to 0.01"),
        ({"percent": "-5"}, "greater than or equal to 0.01"),
        ({"percent": "100"}, "no more than 2 digits before the decimal point"),
        ({"percent": "1.345"}, "no more than 2 decimal places"),
        ({"percent": "abc"}, "Enter a number."),
        ({"percent": "", "reduced_price": "0"}, "greater than or equal to 0.01"),
        ({"percent": "", "reduced_price": "1.005"}, "no more than 2 decimal places"),
        ({"starts_at_0": "2026-13-01"}, "Enter a valid date."),
        (
            {"ends_at_0": "2026-01-01", "ends_at_1": "12:00:01"},
            "The end must be after the start.",
        ),
        ({"products": ""}, "Choose products, categories or variants."),
        ({"products": "999999999"}, "999999999"),
        ({"variants": "NO-SUCH"}, "There is no variant with the SKU “NO-SUCH”."),
        ({"products": "1;2"}, "is not a valid"),
    ],
)
def test_sale_with_a_wrong_number_says_what_is_wrong_and_saves_nothing(
    boss, fields, error
):
    lamp = make_variant()

    response = boss.post(ADD, form(lamp.product.pk) | fields)

    assert response.status_code == 200 and error in response.text.replace(
        "&gt;", ">"
    ).replace("Ensure this value is ", "")
    assert not Sale.objects.exists()


def test_sale_that_has_begun_cannot_be_deleted_but_ended(boss):
    lamp = make_variant()
    sale = make_sale(lamp, name="Winter")
    flips.settle_all()

    refused = boss.post(reverse("admin:products_sale_delete", args=[sale.pk]))
    boss.post(LIST, {"action": "end_now", "_selected_action": [sale.pk]})
    flips.settle_all()

    assert refused.status_code == 403
    assert Variant.objects.get(pk=lamp.pk).price == Decimal("12.50")
    page = boss.post(
        LIST, {"action": "end_now", "_selected_action": [sale.pk]}, follow=True
    )
    assert "“Winter” is not running." in page.text


def test_sale_that_is_planned_is_deleted(boss):
    sale = make_sale(make_variant(), starts_at=clock.now() + timedelta(hours=1))
    delete = reverse("admin:products_sale_delete", args=[sale.pk])

    assert boss.post(delete, {"post": "yes"}).status_code == 302
    assert not Sale.objects.exists()


def test_sale_list_says_what_is_planned_running_and_over(boss):
    now, hour = clock.now(), timedelta(hours=1)
    make_sale(starts_at=now + hour)
    make_sale(reduced_price="5.00")
    make_sale(starts_at=now - 2 * hour, ends_at=now - hour)

    page = boss.get(LIST).text

    for text in ("planned", "running", "over", "−20 %", "€5.00"):
        assert text in page


def test_price_history_is_shown_and_cannot_be_changed(boss):
    make_variant(sku="L-1", price=Decimal("12.50"))
    change = PriceChange.objects.get()
    row = reverse("admin:products_pricechange_change", args=[change.pk])

    assert "12.50" in boss.get(reverse("admin:products_pricechange_changelist")).text
    assert boss.post(row, {"price": "1"}).status_code == 403
