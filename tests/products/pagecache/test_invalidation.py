"""Which pages a change makes out of date, and only after it is committed."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings as shop_settings
from django.db import transaction
from django.utils import timezone

from products.catalogue import services as catalogue
from products.models import Product, ProductCategory, ProductImage, Variant
from products.pagecache import caching, invalidation
from products.pagecache.caching import CATALOGUE, SHELVES, category, product
from tests.support.factories import (
    make_category,
    make_picture,
    make_product,
    make_products,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def touched(monkeypatch) -> list[set[str]]:
    """The generations that tasks touch. Tasks run at once here."""
    calls: list[set[str]] = []
    monkeypatch.setattr(invalidation, "later", lambda task, *args: task(*args))
    monkeypatch.setattr(caching, "touch", lambda names: calls.append(set(names)))
    return calls


@pytest.fixture
def lamp() -> Product:
    """An old product, behind so many newer ones that no other page shows it."""
    lamps = make_category(slug="lamps")
    made = make_product(
        slug="lamp", category=lamps, created_at=timezone.now() - timedelta(days=9)
    )
    make_products(shop_settings.RELATED_PRODUCTS + 2, category=lamps)
    return made


def pages_of(shelf: ProductCategory) -> set[str]:
    return {product(each.slug) for each in shelf.products.all()}


CHANGES: dict[str, dict] = {
    "name": {"name": "Brass lamp"},
    "price": {"price": Decimal("99.00")},
    "description": {"description": "Another."},
    "activity": {"is_active": False},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_product_changed_touches_its_page_its_shelf_and_the_lists(
    lamp, touched, change
):
    variant = lamp.variants.get()
    for field, value in change.items():
        setattr(variant if field == "price" else lamp, field, value)

    catalogue.save(lamp, variants=[variant])

    assert touched == [{CATALOGUE, category("lamps"), product("lamp")}]


def test_product_with_another_picture_touches_its_page_its_shelf_and_the_lists(
    lamp, touched
):
    lamp.image = make_picture()

    catalogue.save(lamp)

    assert touched == [{CATALOGUE, category("lamps"), product("lamp")}]


def test_product_with_one_more_picture_touches_its_page_its_shelf_and_the_lists(
    lamp, touched
):
    catalogue.save_pictures(lamp, new=[ProductImage(file="a.png", position=None)])

    assert touched == [{CATALOGUE, category("lamps"), product("lamp")}]


def test_product_moved_touches_the_shelf_it_left_and_the_one_it_came_to(lamp, touched):
    lamp.category = make_category(slug="jugs")

    catalogue.save(lamp)

    (names,) = touched
    assert {category("lamps"), category("jugs"), product("lamp")} <= names


def test_product_with_another_address_touches_the_old_one_too(lamp, touched):
    lamp.slug = "brass-lamp"

    catalogue.save(lamp)

    assert {product("lamp"), product("brass-lamp")} <= touched[0]


def test_product_that_is_new_touches_the_neighbours_that_show_it(lamp, touched):
    newest = Product(category=lamp.category, name="New", slug="n")

    catalogue.save(newest, variants=[Variant(sku="n", price=1)])

    assert touched == [{CATALOGUE, category("lamps")} | pages_of(lamp.category)]


def test_product_among_the_newest_touches_the_neighbours_that_show_it(lamp, touched):
    newest = lamp.category.products.latest("created_at", "pk")
    newest.is_active = False

    catalogue.save(newest)

    assert pages_of(lamp.category) <= touched[0]


def test_product_on_a_short_shelf_touches_its_neighbours(touched):
    one, other = make_products(2)

    catalogue.save(one)

    assert pages_of(one.category) == {product(one.slug), product(other.slug)}
    assert pages_of(one.category) <= touched[0]


def test_product_deleted_touches_what_showed_it(lamp, touched):
    one = lamp.category.products.latest("created_at", "pk")

    catalogue.delete([one])

    assert {CATALOGUE, category("lamps"), product(one.slug)} <= touched[0]
    assert pages_of(lamp.category) <= touched[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda shelf: catalogue.save_category(shelf),
        lambda shelf: catalogue.delete_categories([shelf]),
    ],
    ids=["saved", "deleted"],
)
def test_category_changed_touches_every_page(touched, change):
    change(make_category())

    assert touched == [{SHELVES, CATALOGUE}]


def test_many_products_changed_at_once_touch_every_page_once(touched, monkeypatch):
    monkeypatch.setattr(invalidation, "MANY", 5)

    catalogue.changed([each.pk for each in make_products(6)])

    assert touched == [{SHELVES, CATALOGUE}]


def test_change_that_is_rolled_back_touches_nothing(lamp, touched):
    with transaction.atomic():
        catalogue.save(lamp)
        assert touched == []
        transaction.set_rollback(True)

    assert touched == []


def test_everything_changed_touches_every_page(touched):
    catalogue.everything_changed()

    assert touched == [{SHELVES, CATALOGUE}]
