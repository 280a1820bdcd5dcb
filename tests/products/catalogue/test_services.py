"""Products that staff change while people look at them."""

from decimal import Decimal

import pytest
from django.db import IntegrityError
from PIL import Image

from products.basket import services as baskets
from products.catalogue import services as catalogue
from products.live import baskets as live_baskets
from products.models import Basket, Product, Stock, StockMovement, Variant
from products.stock import services as stock
from realtime.registry import State
from tests.support.concurrency import together
from tests.support.factories import (
    make_basket,
    make_category,
    make_owner,
    make_picture,
    make_product,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db

ORIENTATION = 0x0112  # an EXIF tag


def test_save_of_a_new_product_creates_its_empty_stock():
    product = Product(name="Jug", slug="jug", category=make_category())

    catalogue.save(product, variants=[Variant(sku="J-1", price=Decimal("3"))])

    row = Stock.objects.get(variant__product__slug="jug")
    assert (row.on_hand, row.reserved, row.version) == (0, 0, 0)


def test_save_of_a_new_product_without_a_variant_is_an_error():
    product = Product(name="Jug", slug="jug", category=make_category())

    with pytest.raises(ValueError, match="needs a variant"):
        catalogue.save(product)

    assert not Product.objects.exists()


def test_save_of_a_variant_keeps_the_lowest_price_and_the_skus_right():
    small = make_variant(sku="S", price=Decimal("20"), option_values=["small"])
    product = small.product

    large = Variant(sku="L", price=Decimal("30"), option_values=["large"], position=1)
    catalogue.save(product, variants=[large])
    product.refresh_from_db()
    assert (product.lowest_price, product.skus) == (Decimal("20"), ["S", "L"])

    small.price = Decimal("40")
    catalogue.save(product, variants=[small])
    product.refresh_from_db()
    assert product.lowest_price == Decimal("30")

    large.is_active = False
    catalogue.save(product, variants=[large])
    product.refresh_from_db()
    assert product.lowest_price == Decimal("40")


def test_variant_with_the_values_of_another_is_refused():
    variant = make_variant(option_values=["blue", "small"])
    twin = Variant(product=variant.product, sku="T", price=1)
    twin.option_values = ["blue", "small"]

    with pytest.raises(IntegrityError, match="variant_options_once"):
        twin.save()


def test_save_of_a_product_without_a_stock_row_creates_one():
    variant = make_variant(on_hand=0)
    Stock.objects.all().delete()

    catalogue.save(Product.objects.get())

    assert Stock.objects.filter(variant=variant).exists()


@pytest.mark.parametrize(
    "change, note, fact",
    [
        ({"price": Decimal("9.90")}, "12.50 → 9.90", ("price", "9.90")),
        ({"is_active": False}, "inactive", ("state", "gone")),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_save_of_a_changed_offer_is_logged_and_pushed(hear, change, note, fact):
    variant, staff = make_variant(), make_user()
    for name, value in change.items():
        setattr(variant, name, value)

    with hear(f"stock:{variant.pk}") as events:
        catalogue.save(variant.product, variants=[variant], actor=staff)

    movement = StockMovement.objects.get(variant=variant, kind="offer")
    assert (movement.note, movement.actor) == (note, staff)
    assert [event["version"] for event in events] == [2]
    name, value = fact
    assert events[0]["facts"][name] == value


@pytest.mark.django_db(transaction=True)
def test_save_of_a_changed_price_pushes_baskets_with_the_product(hear):
    variant, owner = make_variant(), make_owner()
    basket = make_basket(owner, {variant: 2})
    variant.price = Decimal("9.90")

    with hear(f"basket:{owner.key}", f"basket:lines:{owner.key}") as events:
        catalogue.save(variant.product, variants=[variant])

    assert [event["version"] for event in events] == [2, 2]
    assert Basket.objects.get(pk=basket.pk).version == 2


@pytest.mark.django_db(transaction=True)
def test_save_of_a_changed_price_pushes_a_basket_that_got_it_in_the_meantime(
    hear, monkeypatch
):
    """Its own push may have been answered with the price of before the commit."""
    variant, owner = make_variant(), make_owner()
    offer_changed = stock.offer_changed

    def while_somebody_adds(*args, **kwargs):
        (line,) = together([lambda: baskets.add(make_basket(owner), variant.pk)])
        assert line.price_when_added == Decimal("12.50")  # the premise
        return offer_changed(*args, **kwargs)

    monkeypatch.setattr(stock, "offer_changed", while_somebody_adds)
    variant.price = Decimal("9.90")

    with hear(f"basket:{owner.key}") as events:
        catalogue.save(variant.product, variants=[variant])

    assert events[-1]["version"] == 2
    assert live_baskets.summary(owner) == State(2, {"count": 1, "total": "9.90"})


@pytest.mark.django_db(transaction=True)
def test_save_of_another_name_keeps_the_version_and_pushes_nothing(hear):
    variant, owner = make_variant(), make_owner()
    product, basket = variant.product, make_basket(owner, {variant: 2})
    product.name = "Another name"

    with hear(f"stock:{variant.pk}", f"basket:{owner.key}") as events:
        catalogue.save(product)

    assert events == []
    assert Product.objects.get(pk=product.pk).name == "Another name"
    assert Stock.objects.get(pk=variant.pk).version == 1
    assert Basket.objects.get(pk=basket.pk).version == basket.version


def test_save_of_a_picture_makes_its_thumbnails_square(settings):
    product = make_product()
    product.image = make_picture(image=Image.new("RGB", (1200, 1000)))

    catalogue.save(product)

    for name, size in [("small", 320), ("medium", 640), ("large", 960)]:
        thumbnail = getattr(product, f"image_{name}")
        assert (settings.MEDIA_ROOT / thumbnail.name).is_file()
        assert (thumbnail.width, thumbnail.height) == (size, size)


def test_save_of_a_rotated_picture_turns_it_upright():
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # what is left in the file is the top
    product = make_product()
    product.image = make_picture("lamp.jpg", black_left_half(), exif=exif)

    catalogue.save(product)

    with Image.open(product.image_small.path) as thumbnail:
        grey = thumbnail.convert("L")
        assert grey.getpixel((160, 20)) < 60
        assert grey.getpixel((20, 300)) > 190


def black_left_half() -> Image.Image:
    image = Image.new("RGB", (800, 400), "white")
    image.paste("black", (0, 0, 400, 400))
    return image
