"""What baskets and orders cost: decimal amounts in and out."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from products.models import BasketLine, Order, OrderLine, ShippingPart
from products.pricing import baskets
from products.pricing import services as pricing
from products.pricing.baskets import Item, PricedBasket, todays_rates
from products.pricing.tax import rates_for
from tests.support.factories import make_basket, make_order, make_variant

pytestmark = pytest.mark.django_db


def price_basket(lines: Iterable[BasketLine], *, country: str) -> PricedBasket:
    """What the lines cost now, delivered to a country."""
    return baskets.price_items(map(baskets.item, lines), todays_rates(country))


TWO_RATES = [
    Item(Decimal("11.90"), 2, "standard"),
    Item(Decimal("10.70"), 1, "reduced"),
]


def german_rates() -> dict:
    return rates_for("DE", timezone.localdate())


# --- Baskets ----------------------------------------------------------------------


def test_basket_has_the_tax_of_each_products_class_and_country():
    lamp = make_variant(price=Decimal("11.90"))
    book = make_variant(price=Decimal("10.70"), tax_class_id="reduced")
    lines = make_basket(lines={lamp: 2, book: 1}).lines.order_by("pk")

    german = price_basket(lines, country="DE")
    danish = price_basket(lines, country="DK")

    assert [line.tax.amount for line in german.lines] == [
        Decimal("3.80"),
        Decimal("0.70"),
    ]
    assert german.sums.facts == {
        "goods": "34.50",
        "discount": "0.00",
        "discount_name": "",
        "shipping": "0.00",
        "tax": "4.50",
        "total": "34.50",
        "includes_tax": True,
        "taxes": [
            {"rate": "19", "code": "standard", "tax": "3.80"},
            {"rate": "7", "code": "reduced", "tax": "0.70"},
        ],
    }
    assert (danish.sums.total, danish.sums.tax) == (Decimal("34.50"), Decimal("6.90"))


def test_basket_without_a_country_has_the_rates_of_the_shops(settings):
    settings.SHOP_COUNTRY = "DK"
    lines = make_basket(lines={make_variant(price=10): 1}).lines.all()

    assert price_basket(lines, country="").lines[0].tax.rate == 25


def test_basket_for_export_says_why_it_has_no_tax():
    lines = make_basket(lines={make_variant(price=10): 1}).lines.all()

    priced = price_basket(lines, country="US")

    tax = priced.lines[0].tax
    assert (tax.rate, tax.code, tax.reason) == (
        *(0, "export"),
        "Export outside the tax area",
    )
    assert priced.sums.total == 10


def test_net_prices_have_the_tax_added(settings):
    settings.PRICES_INCLUDE_TAX = False

    sums = baskets.price_items(TWO_RATES, german_rates()).sums

    assert (sums.goods, sums.tax, sums.total) == (
        Decimal("34.50"),
        Decimal("5.27"),
        Decimal("39.77"),
    )
    assert not sums.includes_tax


def test_discount_and_shipping_are_shared_and_split():
    priced = baskets.price_items(
        TWO_RATES, german_rates(), shipping=Decimal("4.90"), order_percent=Decimal(10)
    )

    assert [line.order_discount for line in priced.lines] == [
        Decimal("2.38"),
        Decimal("1.07"),
    ]
    assert [line.subtotal for line in priced.lines] == [
        Decimal("23.80"),
        Decimal("10.70"),
    ]
    assert [(part.tax.rate, part.amount) for part in priced.shipping] == [
        (7, Decimal("1.52")),
        (19, Decimal("3.38")),
    ]
    assert priced.sums.goods == Decimal("34.50")
    assert priced.sums.discount == Decimal("3.45")
    assert priced.sums.total == Decimal("35.95")
    assert sum(tax.amount for tax in priced.sums.taxes) == priced.sums.tax


def test_fixed_discount_is_an_amount():
    priced = baskets.price_items(TWO_RATES, german_rates(), order_fixed=Decimal("4.5"))

    assert priced.sums.total == 30


def test_basket_of_tax_classes_without_a_rate_is_not_taxed():
    priced = baskets.price_items(TWO_RATES, {})

    assert (priced.sums.total, priced.sums.tax) == (Decimal("34.50"), 0)
    assert priced.sums.facts["taxes"] == []


def test_goods_cost_what_their_units_cost():
    prices = [(Decimal("0.10"), 3), (Decimal("12.50"), 2)]

    assert baskets.goods_of(prices) == Decimal("25.30")
    assert baskets.goods_of([]) == 0


def test_pricing_a_basket_costs_one_query_for_its_rates(django_assert_num_queries):
    baskets.todays_rates("FR")  # keeps a copy
    basket = make_basket(lines={make_variant(): 1, make_variant(): 2})
    lines = list(basket.lines.select_related("variant__product"))

    with django_assert_num_queries(1):
        price_basket(lines, country="FR")


@pytest.mark.parametrize("amount", [Decimal("0.001"), Decimal("1.999")])
def test_amount_with_parts_of_a_cent_is_refused(amount):
    with pytest.raises(ValueError, match="2 decimal places"):
        baskets.to_minor(amount)


@pytest.mark.parametrize("amount", ["0.00", "0.01", "12.50", "19999999999.98"])
def test_minor_units_turn_back_into_the_amount(amount):
    assert str(baskets.from_minor(baskets.to_minor(Decimal(amount)))) == amount


# --- Orders -----------------------------------------------------------------------


def test_order_stores_amounts_and_taxes_that_later_rates_do_not_change():
    book = make_variant(price=Decimal("10.70"), tax_class_id="reduced")
    order = make_order({make_variant(price=Decimal("11.90")): 2, book: 1})
    before = baskets.sums_of(order, order.lines.all()).facts
    for rate in pricing.TaxRate.objects.filter(country="DE"):
        rate.percent = 1
        pricing.save_tax_rate(rate)

    order = Order.objects.get()

    assert baskets.sums_of(order, order.lines.all()).facts == before
    assert before["tax"] == "4.50" and before["total"] == "34.50"
    assert [
        (line.tax, line.tax_rate, line.tax_code, line.tax_reason)
        for line in order.lines.all()
    ] == [
        (Decimal("3.80"), 19, "standard", ""),
        (Decimal("0.70"), 7, "reduced", ""),
    ]


def test_stored_taxes_include_those_of_the_shipping():
    order = make_order({make_variant(price=Decimal("11.90")): 1})
    part = {"tax_rate": 19, "tax_code": "standard"}
    ShippingPart.objects.create(
        order=order, amount=Decimal("4.76"), tax=Decimal("0.76"), **part
    )
    Order.objects.update(
        shipping=Decimal("4.76"), tax=Decimal("2.66"), total=Decimal("16.66")
    )

    order = Order.objects.get()
    sums = baskets.sums_of(order, order.lines.all())

    assert sums.facts["taxes"] == [{"rate": "19", "code": "standard", "tax": "2.66"}]


@pytest.mark.parametrize(
    "model, change, constraint",
    [
        (OrderLine, {"amount": 24}, "order_line_amount_is_the_price"),
        (OrderLine, {"line_discount": 1}, "order_line_amount_is_the_price"),
        (OrderLine, {"order_discount": 1}, "order_line_amount_is_the_price"),
        (
            OrderLine,
            {"line_discount": -1, "order_discount": 1},
            "order_line_amount_is_the_price",
        ),
        (OrderLine, {"tax": -1}, "orderline_tax_within_amount"),
        (OrderLine, {"tax": 26}, "orderline_tax_within_amount"),
        (Order, {"total": 26}, "order_total_is_the_sum"),
        (Order, {"goods": 26}, "order_total_is_the_sum"),
        (Order, {"shipping": 1}, "order_total_is_the_sum"),
        (Order, {"discount": 1}, "order_total_is_the_sum"),
        (Order, {"prices_include_tax": False}, "order_total_is_the_sum"),
        (Order, {"discount": 26, "total": -1}, "order_amounts_in_bounds"),
        (Order, {"shipping": -1, "total": 24}, "order_amounts_in_bounds"),
        (Order, {"tax": 26}, "order_amounts_in_bounds"),
    ],
)
def test_database_refuses_amounts_that_do_not_add_up(model, change, constraint):
    make_order({make_variant(price=Decimal("12.50")): 2})

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.update(**change)
