from decimal import Decimal

from django.utils.text import slugify

from products.demo import rows
from products.demo.catalogue import SHELVES
from products.demo.pictures.colour import PALETTES
from products.demo.pictures.render import ROOMS, SHAPES

ITEMS = [item for shelf in SHELVES for item in shelf.items]


def test_catalogue_reads_like_a_shop():
    assert len(SHELVES) >= 8
    assert len(ITEMS) >= 80
    assert all(shelf.description for shelf in SHELVES)
    assert all(len(item.description) > 60 for item in ITEMS)
    assert all(Decimal(item.price) > 0 for item in ITEMS)


def test_catalogue_names_no_two_things_alike():
    for distinct in (
        [item.name for item in ITEMS],
        [slugify(item.name) for item in ITEMS],
        [item.sku for item in ITEMS],
        [rows.picture_of(item) for item in ITEMS],
    ):
        assert len(set(distinct)) == len(distinct)


def test_catalogue_has_stock_from_none_to_hundreds():
    stocks = [item.stock for item in ITEMS]

    assert stocks.count(0) >= 5
    assert sum(0 < units <= 5 for units in stocks) >= 5
    assert max(stocks) >= 300


def test_catalogue_every_item_can_be_drawn_and_every_shape_is_sold():
    assert {item.palette for item in ITEMS} <= PALETTES.keys()
    assert {item.shape for item in ITEMS} == SHAPES.keys()


def test_catalogue_each_shelf_has_one_style():
    for shelf in SHELVES:
        rooms = {SHAPES[item.shape][0] for item in shelf.items}
        assert len(rooms) == 1, shelf.name
    assert len(ROOMS) == len(SHELVES)


def test_more_items_of_a_big_shop_are_all_different():
    more = [item for _, item in rows.more_items(50_000)]

    assert len({slugify(item.name) for item in more}) == 50_000
    assert len({item.sku for item in more}) == 50_000
    assert max(len(item.name) for item in more) <= 160
    assert {rows.picture_of(item) for item in more} <= {
        rows.picture_of(item) for item in ITEMS
    }
