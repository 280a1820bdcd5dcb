from decimal import Decimal
from pathlib import PurePosixPath

from django.utils.text import slugify
from PIL import Image

from products.demo import rows
from products.demo.catalogue import SHELVES
from products.demo.loading import PICTURES

ITEMS = [item for shelf in SHELVES for item in shelf.items]


def test_catalogue_reads_like_a_shop():
    assert len(SHELVES) >= 8
    assert len(ITEMS) >= 80
    assert all(shelf.description for shelf in SHELVES)
    assert all(len(item.description) > 60 for item in ITEMS)
    assert all(Decimal(item.price) > 0 for item in ITEMS)


def test_catalogue_names_and_pictures_are_unique():
    for distinct in (
        [item.name for item in ITEMS],
        [slugify(item.name) for item in ITEMS],
        [item.sku for item in ITEMS],
        [rows.picture_of(item) for item in ITEMS],
    ):
        assert len(set(distinct)) == len(distinct)


def test_catalogue_items_with_variants_agree_with_them():
    sold = [each for item in ITEMS for each in item.sold]

    assert len({each.sku for each in sold}) == len(sold)
    for item in ITEMS:
        if item.variants:
            assert item.price == item.variants[0].price
            assert item.stock == sum(each.stock for each in item.variants)
            assert all(each.sku.startswith(item.sku) for each in item.variants)


def test_catalogue_has_stock_from_zero_to_hundreds():
    stocks = [item.stock for item in ITEMS]

    assert stocks.count(0) >= 5
    assert sum(0 < units <= 5 for units in stocks) >= 5
    assert max(stocks) >= 300


def test_catalogue_items_and_pictures_match():
    names = {
        PurePosixPath(each.name).stem
        for item in ITEMS
        for each in rows.pictures_of(item)
    }

    assert {path.stem for path in PICTURES.glob("*.webp")} == names
    assert {path.stem for path in PICTURES.glob("*.svg")} == names


def test_catalogue_pictures_are_large_squares_of_a_few_megabytes_in_all():
    sizes = set()
    for path in PICTURES.glob("*.webp"):
        with Image.open(path) as image:
            sizes.add(image.size)

    assert sizes == {(1200, 1200)}
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 5_000_000


def test_more_items_of_a_big_shop_are_all_different():
    more = [item for _, item in rows.more_items(50_000)]

    assert len({slugify(item.name) for item in more}) == 50_000
    assert len({item.sku for item in more}) == 50_000
    assert max(len(item.name) for item in more) <= 160
    assert {rows.picture_of(item) for item in more} <= {
        rows.picture_of(item) for item in ITEMS
    }
