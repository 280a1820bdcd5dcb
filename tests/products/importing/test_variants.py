"""Shopify's files: products with variants, and what can be wrong with them."""

import io
from decimal import Decimal

import pytest

from products import importing
from products.catalogue import services as catalogue
from products.importing import applying, groups
from products.models import (
    Basket,
    Product,
    ProductCategory,
    ProductImage,
    Stock,
    StockMovement,
    Variant,
)
from products.stock import books
from products.stock import services as stock
from tests.support.concurrency import together
from tests.support.factories import (
    make_basket,
    make_category,
    make_holder,
    make_options,
    make_owner,
    make_sale,
    make_variant,
)

pytestmark = pytest.mark.django_db

HEADER = (
    "Handle,Title,Type,Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Status"
)
SHIRT = (
    "shirt,Shirt,Clothes,Colour,Red,Size,S,S-RS,200,3,18.00,active\n"
    "shirt,,,,Red,,M,S-RM,210,4,18.00,\n"
    "shirt,,,,Blue,,S,S-BS,200,0,19.50,\n"
)


def run(text: str | bytes, **options) -> importing.Report:
    content = text.encode() if isinstance(text, str) else text
    return importing.run(io.BytesIO(content), importing.Options(**options))


def shopify(rows: str, **options) -> importing.Report:
    return run(f"{HEADER}\n{rows}", **options)


def problems(report: importing.Report) -> list[tuple[int, str, str]]:
    return [tuple(problem) for problem in report.problems]


def everything() -> list:
    """All rows of the catalogue and its stock."""
    models = (Product, ProductCategory, Stock, StockMovement, Variant)
    return [sorted(map(repr, model.objects.values_list())) for model in models]


def offers() -> list[tuple]:
    """Return SKU, values, price, weight and units of all variants, in order."""
    rows = Variant.objects.order_by("product", "position", "pk")
    return list(
        rows.values_list("sku", "option_values", "price", "weight", "stock__on_hand")
    )


def test_imported_variant_shows_the_picture_of_its_colour():
    shopify(SHIRT)
    product = Product.objects.get()
    red = product.variants.get(sku="S-RS")
    image = ProductImage(file="products/red.png", position=None, variant=red)
    catalogue.save_pictures(product, new=[image])

    shopify(SHIRT + "shirt,,,,Red,,L,S-RL,210,4,18.00,\n")

    assert product.variants.get(sku="S-RL").picture == "products/red.png"


# --- New and changed --------------------------------------------------------------


def test_rows_of_one_handle_become_the_variants_of_one_product():
    report = shopify(SHIRT)

    product = Product.objects.get()
    assert (product.slug, product.name) == ("shirt", "Shirt")
    assert product.option_names == ["Colour", "Size"]
    assert (product.category.name, product.is_active) == ("Clothes", True)
    assert (product.lowest_price, product.skus) == (18, ["S-RS", "S-RM", "S-BS"])
    assert offers() == [
        ("S-RS", ["Red", "S"], Decimal("18.00"), 200, 3),
        ("S-RM", ["Red", "M"], Decimal("18.00"), 210, 4),
        ("S-BS", ["Blue", "S"], Decimal("19.50"), 200, 0),
    ]
    assert (report.counts, report.rows) == ({"new": 1}, 3)
    assert books.reconcile() == []


def test_same_file_again_changes_nothing():
    shopify(SHIRT)
    before = everything()

    report = shopify(SHIRT)

    assert everything() == before
    assert report.counts == {"unchanged": 1}


def test_changes_of_variants_are_written_and_others_stay():
    shopify(SHIRT)

    report = shopify(
        "shirt,Shirt,,Colour,Red,Size,M,S-RM,250,9,17.00,active\n"
        "shirt,,,,Green,,S,S-GS,1,2,5.00,\n"
    )

    assert report.counts == {"changed": 1}
    assert offers() == [
        ("S-RS", ["Red", "S"], Decimal("18.00"), 200, 3),
        ("S-RM", ["Red", "M"], Decimal("17.00"), 250, 9),
        ("S-BS", ["Blue", "S"], Decimal("19.50"), 200, 0),
        ("S-GS", ["Green", "S"], Decimal("5.00"), 1, 2),
    ]
    product = Product.objects.get()
    assert (product.lowest_price, product.skus[-1]) == (5, "S-GS")
    assert books.reconcile() == []


def test_new_variant_alone_is_added_to_its_product():
    shopify(SHIRT)

    shopify("shirt,Shirt,,Colour,Green,Size,S,S-GS,,,5.00,\n")

    product = Product.objects.get()
    assert (product.lowest_price, product.skus[-1]) == (5, "S-GS")


def test_variant_is_found_by_its_values_if_the_sku_is_new_or_missing():
    shopify(SHIRT)

    shopify("shirt,Shirt,,Colour,red,Size,m,NEW,,,,\n" "shirt,,,,Blue,,S,,,,20.00,\n")

    assert [offer[:3] for offer in offers()] == [
        ("S-RS", ["Red", "S"], Decimal("18.00")),
        ("NEW", ["red", "m"], Decimal("18.00")),
        ("S-BS", ["Blue", "S"], Decimal("20.00")),
    ]
    assert Product.objects.get().skus == ["S-RS", "NEW", "S-BS"]


def test_variants_may_exchange_their_skus():
    shopify(SHIRT)

    shopify(SHIRT.replace("S-RS", "X").replace("S-RM", "S-RS").replace("X", "S-RM"))

    assert [offer[:2] for offer in offers()] == [
        ("S-RS", ["Red", "M"]),
        ("S-RM", ["Red", "S"]),
        ("S-BS", ["Blue", "S"]),
    ]


def test_options_are_renamed_if_the_file_has_all_variants():
    shopify(SHIRT)

    report = shopify(SHIRT.replace("Colour", "Color"))

    assert report.counts == {"changed": 1}
    assert Product.objects.get().option_names == ["Color", "Size"]


def test_option_is_added_if_the_file_has_all_variants():
    make_variant(slug="shirt", sku="S-RS", name="Shirt")

    report = shopify(SHIRT)

    assert report.counts == {"changed": 1}
    assert [offer[1] for offer in offers()] == [
        ["Red", "S"],
        ["Red", "M"],
        ["Blue", "S"],
    ]


def test_variants_without_sku_get_one_of_handle_and_values():
    make_variant(sku="shirt-red-s")

    shopify(SHIRT.replace("S-RS", "").replace("S-RM", "").replace("S-BS", ""))

    skus = Product.objects.get(slug="shirt").skus
    assert skus[0].startswith("shirt-red-s-")
    assert skus[1:] == ["shirt-red-m", "shirt-blue-s"]


@pytest.mark.parametrize(
    "cells",
    ["Title,Default Title", "Title,", ",Default Title", ",", "Titel,Default Title"],
)
def test_default_title_stands_for_no_option(cells):
    shopify(f"lamp,Lamp,Light,{cells},,,L-1,,7,5.00,\n")

    product = Product.objects.get()
    assert product.option_names == []
    assert offers() == [("L-1", [], Decimal("5.00"), 0, 7)]


def test_rows_of_a_handle_that_are_not_adjacent_are_one_product(monkeypatch):
    monkeypatch.setattr(applying, "BATCH", 1)
    red, *others = SHIRT.splitlines(keepends=True)

    report = shopify(
        red
        + "vase,Vase,Home,,,,,V-1,,1,5.00,\n"
        + "".join(others).replace("shirt", "SHIRT")
    )

    assert report.counts == {"new": 2}
    assert Product.objects.get(slug="shirt").skus == ["S-RS", "S-RM", "S-BS"]


def test_rows_too_far_apart_stop_the_import(monkeypatch):
    monkeypatch.setattr(groups, "MOST_WAITING", 2)
    vases = "".join(f"vase-{n},Vase,Home,,,,,V-{n},,1,5.00,\n" for n in range(2))

    report = shopify(vases + SHIRT + "lamp,Lamp,Light,,,,,L,,1,5.00,\n" + SHIRT)

    assert "Sort the file by handle" in report.stopped
    assert set(Product.objects.values_list("slug", flat=True)) == {"vase-0", "vase-1"}


def test_picture_rows_and_a_row_of_the_product_alone_are_no_variants():
    header = f"{HEADER},Image Src"
    report = run(
        f"{header}\nshirt,Shirt,Clothes,Colour,,Size,,,,,,active,https://x/0.jpg\n"
        + SHIRT.replace("shirt,Shirt,Clothes", "shirt,,").replace("\n", ",\n")
        + "shirt,,,,,,,,,,,,https://x/1.jpg\n"
    )

    assert report.counts == {"new": 1}
    assert Product.objects.get().name == "Shirt"
    assert len(offers()) == 3


def test_tax_class_and_an_inactive_variant_are_imported():
    header = (
        "Handle,Title,Type,Variant SKU,Variant Price,Variant Tax Code,Variant Active"
    )
    report = run(f"{header}\nlamp,Lamp,Light,L-1,5,reduced,FALSE\n")

    variant = Variant.objects.get()
    assert (variant.is_active, variant.product.tax_class_id) == (False, "reduced")
    assert report.layout.ignored == []

    report = run(f"{header}\nlamp,Lamp,Light,L-1,5,P0000000,TRUE\n")

    variant.refresh_from_db()
    assert (variant.is_active, variant.product.tax_class_id) == (True, "reduced")
    assert variant.product.lowest_price == 5
    assert "no tax class “P0000000”" in report.warnings[0].text


# --- Products that are left out ---------------------------------------------------

LEFT_OUT = {
    "combination twice": (
        SHIRT + "shirt,,,,red,,s,S-X,,1,5.00,\n",
        (5, "Option1 Value", "“red / s” is already line 2."),
    ),
    "other option": (
        SHIRT + "shirt,,,Cut,Red,,L,S-X,,1,5.00,\n",
        (5, "Option1 Name", "This differs from line 2"),
    ),
    "other title": (
        SHIRT + "shirt,Blouse,,,Red,,L,S-X,,1,5.00,\n",
        (5, "Title", "This differs from line 2"),
    ),
    "wrong price": (
        SHIRT + "shirt,,,,Red,,L,S-X,,1,-5.00,\n",
        (5, "Variant Price", "must not be negative"),
    ),
    "no price": (
        SHIRT + "shirt,,,,Red,,L,S-X,,1,,\n",
        (5, "Variant Price", "A new variant needs this."),
    ),
    "no value": (
        SHIRT + "shirt,,,,Red,,,S-X,,1,5.00,\n",
        (5, "Option2 Value", "This is empty."),
    ),
    "no name": (
        SHIRT.replace("Size", ""),
        (2, "Option2 Name", "This is empty."),
    ),
    "no names": (
        SHIRT.replace("Size", "").replace("Colour", ""),
        (2, "Option1 Name", "Enter the name of the option too."),
    ),
    "same names": (
        SHIRT.replace("Size", "colour"),
        (2, "Option1 Name", "Two options have the same name."),
    ),
    "long value": (
        SHIRT + f"shirt,,,,{'x' * 61},,S,S-X,,1,5.00,\n",
        (5, "Option1 Value", "The limit is 60."),
    ),
    "formula": (
        SHIRT + "shirt,,,,=HYPERLINK(1),,S,S-X,,1,5.00,\n",
        (5, "Option1 Value", "formula"),
    ),
    "SKU of another product": (
        SHIRT + "shirt,,,,Red,,L,OTHER,,1,5.00,\n",
        (5, "Variant SKU", "OTHER is already the SKU of the product “other”."),
    ),
    "SKU twice": (
        SHIRT + "shirt,,,,Red,,L,S-BS,,1,5.00,\n",
        (5, "Variant SKU", "“S-BS” is already on line 4."),
    ),
    "two without options": (
        SHIRT + "lamp,Lamp,Light,,,,,L-1,,1,5.00,\nlamp,,,,,,,L-2,,1,5.00,\n",
        (6, "Option1 Value", "A product without options has one variant"),
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("dry_run", [False, True])
def test_product_with_a_wrong_row_is_left_out_as_a_whole(name, dry_run):
    rows, (line, column, text) = LEFT_OUT[name]
    make_variant(sku="OTHER", slug="other")

    report = shopify(rows, dry_run=dry_run)

    places = [(where, what) for where, what, _text in problems(report)]
    assert (line, column) in places
    assert text in next(t for w, c, t in problems(report) if (w, c) == (line, column))
    handle = "lamp" if "lamp" in rows else "shirt"
    assert not Product.objects.filter(slug=handle).exists()
    assert report.failed == rows.count(f"{handle},")


def test_other_rows_of_a_product_that_is_left_out_are_explained():
    report = shopify(SHIRT + "shirt,,,,Red,,L,S-X,,1,-5.00,\n")

    assert report.failed == 4
    assert (2, "Handle", "All 4 rows of “shirt” are left out: see line 5.") in (
        problems(report)
    )


def test_combination_of_a_variant_that_the_file_does_not_mention_is_refused():
    shopify(SHIRT)

    report = shopify(
        "shirt,Shirt,,Colour,Blue,Size,S,S-RS,,,,\n" "shirt,,,,Red,,M,,,,,\n"
    )

    assert problems(report)[-1] == (
        2,
        "Option1 Value",
        "“Blue / S” is already the variant S-BS.",
    )


def test_options_cannot_change_while_other_variants_have_the_old_ones():
    shopify(SHIRT)

    report = shopify("shirt,Shirt,,Colour,Red,,,S-RS,,,,\n")

    assert problems(report) == [
        (
            2,
            "Option1 Name",
            "The product has variants with other options. Add them to the file.",
        )
    ]


def test_row_without_sku_and_values_of_a_product_with_variants_is_refused():
    shopify(SHIRT)

    report = run("Handle,Title,Variant Price\nshirt,Shirt,5\n")

    assert [problem.text for problem in report.problems] == [
        "The product has several variants. Enter a SKU."
    ]


def test_row_with_a_sku_needs_no_options():
    shopify(SHIRT)

    run("Handle,Title,Variant SKU,Variant Price\nshirt,Shirt,S-RM,5\n")

    assert Variant.objects.get(sku="S-RM").price == 5


def test_count_below_the_reserved_units_leaves_out_the_product():
    shopify(SHIRT)
    medium = Variant.objects.get(sku="S-RM")
    make_holder(medium, units=4)
    stock.claim({medium.pk: 4})
    rows = SHIRT.replace("4,18.00", "3,18.00").replace("19.50", "1.00")
    rows += "shirt,,,,Blue,,L,S-X,,1,5.00,\n"

    for dry_run in (True, False):
        report = shopify(rows, dry_run=dry_run)
        assert (3, "Variant Inventory Qty") in [p[:2] for p in problems(report)]
        assert report.failed == 4

    assert Variant.objects.get(sku="S-BS").price == Decimal("19.50")
    assert not Variant.objects.filter(sku="S-X").exists()
    assert books.reconcile() == []


# --- Prices, pushes and others at the same time -----------------------------------


def test_new_category_puts_all_variants_into_its_sale():
    shopify(SHIRT)
    make_sale(make_category(name="Sale", slug="sale"), percent="50")

    shopify("shirt,Shirt,Sale,Colour,Red,Size,S,S-RS,,,,\n")

    prices = Variant.objects.order_by("position").values_list("price", flat=True)
    assert list(prices) == [Decimal("9.00"), Decimal("9.00"), Decimal("9.75")]
    assert books.reconcile() == []


def test_draft_closes_the_offers_of_all_variants():
    shopify(SHIRT)

    shopify("shirt,Shirt,,Colour,Red,Size,S,S-RS,,,,draft\n")

    notes = StockMovement.objects.filter(kind="offer").values_list("note", flat=True)
    assert list(notes) == ["inactive"] * 3


@pytest.mark.django_db(transaction=True)
def test_new_price_of_a_variant_reaches_its_page_and_baskets(hear):
    shopify(SHIRT)
    small = Variant.objects.get(sku="S-RS")
    basket = make_basket(make_owner(), {small: 2})

    with hear(f"stock:{small.pk}") as events:
        shopify(SHIRT.replace("3,18.00", "3,9.00"))

    assert [event["facts"]["price"] for event in events] == ["9.00"]
    assert Basket.objects.get(pk=basket.pk).version == basket.version + 1


@pytest.mark.django_db(transaction=True)
def test_imports_of_one_file_at_once_make_each_variant_once():
    rows = "".join(
        SHIRT.replace("shirt", f"shirt-{n}").replace("S-", f"S{n}-") for n in range(10)
    )

    reports = together([lambda: shopify(rows)] * 2)

    assert [report.failed for report in reports] == [0, 0]
    assert (Product.objects.count(), Variant.objects.count()) == (10, 30)
    assert books.reconcile() == []


@pytest.mark.django_db(transaction=True)
def test_imports_of_exchanged_skus_at_once_keep_the_books():
    make_options(
        {"option_values": ["Red"], "sku": "A"},
        {"option_values": ["Blue"], "sku": "B"},
        names=["Colour"],
        slug="cup",
        name="Cup",
    )
    header = "Handle,Title,Option1 Name,Option1 Value,Variant SKU\n"
    one = f"{header}cup,Cup,Colour,Red,A\ncup,,,Blue,B\n"
    other = f"{header}cup,Cup,Colour,Red,B\ncup,,,Blue,A\n"

    reports = together([lambda: run(one), lambda: run(other)])

    assert [report.failed for report in reports] == [0, 0]
    assert sorted(Product.objects.get().skus) == ["A", "B"]
    assert books.reconcile() == []


def test_many_variants_take_as_many_queries_a_batch(django_assert_max_num_queries):
    rows = "".join(
        SHIRT.replace("shirt", f"shirt-{n}").replace("S-", f"S{n}-") for n in range(50)
    )
    shopify(rows)

    with django_assert_max_num_queries(30):
        report = shopify(rows.replace("18.00", "1.00").replace("19.50", "2.00"))

    assert report.counts == {"changed": 50}
