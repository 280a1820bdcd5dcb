"""What a business pays that accounts for the tax itself."""

from decimal import Decimal

import pytest

from products.pricing import baskets
from products.pricing.baskets import Item, todays_rates
from products.pricing.tax import is_reverse_charged
from products.shipping import services as shipping
from products.shipping.offers import Band, Method, Zone
from products.shipping.services import Place
from tests.support.factories import make_basket, make_variant

pytestmark = pytest.mark.django_db

DANISH = "DK13585628"


@pytest.mark.parametrize(
    "shop, country, number, holds",
    [
        ("DE", "DK", DANISH, True),
        ("DE", "FR", DANISH, True),
        ("DE", "MC", DANISH, True),  # in the tax area of France
        ("DE", "GR", "EL094259216", True),
        ("GR", "DK", "EL094259216", False),
        ("DE", "DK", "", False),
        ("DE", "DE", DANISH, False),
        ("DK", "DE", DANISH, False),
        ("DE", "US", DANISH, False),
        ("US", "DK", DANISH, False),
        ("DE", "", DANISH, False),
    ],
)
def test_reverse_charge_holds_from_one_member_state_to_another(
    settings, shop, country, number, holds
):
    settings.SHOP_COUNTRY = shop

    assert is_reverse_charged(country, number) is holds


def test_gross_prices_lose_the_tax_of_the_shops_country_for_each_unit():
    items = [
        Item(Decimal("9.99"), 3, "standard"),
        Item(Decimal("10.70"), 1, "reduced"),
    ]

    priced = baskets.price_items(items, todays_rates("DK", vat_number=DANISH))

    assert [line.price for line in priced.lines] == [Decimal("8.39"), 10]
    assert [line.amount for line in priced.lines] == [Decimal("25.17"), 10]
    assert (priced.sums.total, priced.sums.tax) == (Decimal("35.17"), 0)
    assert {line.tax.code for line in priced.lines} == {"reverse"}


def test_net_prices_stay_as_they_are(settings):
    settings.PRICES_INCLUDE_TAX = False
    items = [Item(Decimal("9.99"), 3, "standard")]

    priced = baskets.price_items(
        items, todays_rates("DK", vat_number=DANISH), shipping=5
    )

    assert (priced.sums.total, priced.sums.tax) == (Decimal("34.97"), 0)


def test_shipping_and_fixed_discount_are_without_tax_too():
    items = [Item(Decimal("119.00"), 1, "standard")]

    priced = baskets.price_items(
        items,
        todays_rates("DK", vat_number=DANISH),
        shipping=Decimal("5.95"),
        order_fixed=Decimal("11.90"),
    )

    assert (priced.sums.shipping, priced.sums.discount) == (5, 10)
    assert priced.sums.total == 95


@pytest.mark.parametrize(
    "discount, price, saved",
    [
        ({"percent": Decimal(10)}, "100.00", "20.00"),
        ({"per_unit": Decimal("11.90")}, "100.00", "20.00"),
        ({"per_unit": Decimal("500")}, "100.00", "200.00"),
    ],
)
def test_discount_on_lines_is_without_tax_too(discount, price, saved):
    items = [Item(Decimal("119.00"), 2, "standard", **discount)]

    priced = baskets.price_items(items, todays_rates("DK", vat_number=DANISH))

    (line,) = priced.lines
    assert (line.price, line.line_discount) == (Decimal(price), Decimal(saved))
    assert line.amount == line.price * 2 - line.line_discount


ZONES = [
    Zone(
        name="Everywhere",
        has_rest=True,
        methods=(
            Method(
                *(1, "Parcel", "", None),
                free_from=11900,
                bands=(Band(0, None, 1190),),
            ),
            Method(2, "Pick-up", "", None, is_pickup=True),
        ),
    )
]


def price(unit: str, method: int):
    lines = make_basket(lines={make_variant(price=unit): 1}).lines.select_related(
        "variant__product"
    )
    place = Place("DK", "1401", method)
    return shipping.price(lines, todays_rates("DK", vat_number=DANISH), ZONES, place)


def test_delivery_is_offered_at_the_price_that_is_charged():
    priced, delivery = price("11.90", 1)

    assert (priced.sums.goods, priced.sums.shipping, priced.sums.total) == (10, 10, 20)
    assert [offer.price for offer in delivery.offers] == [1000, 0]
    assert delivery.chosen and delivery.chosen.price == 1000


def test_delivery_is_free_from_the_price_of_everybody():
    priced, _delivery = price("119.00", 1)

    assert (priced.sums.shipping, priced.sums.total) == (0, 100)


def test_goods_that_are_picked_up_have_the_tax_of_the_shop():
    priced, _delivery = price("119.00", 2)

    assert (priced.sums.total, priced.sums.tax) == (119, 19)
    assert priced.lines[0].tax.code == "standard"
