"""Cells as what a product is to be, and the words for those that cannot be."""

import csv
import io
from decimal import Decimal

import pytest

from products.importing.columns import layout_of
from products.importing.problems import Unreadable
from products.importing.rows import Row, rows_of


def parse(text: str) -> list:
    header, *cells = csv.reader(io.StringIO(text))
    return list(rows_of(layout_of(header), enumerate(cells, start=2)))


def one(column: str, cell: str) -> Row | list:
    out = io.StringIO()
    csv.writer(out).writerows([["sku", "name", column], ["L-1", "Lamp", cell]])
    return parse(out.getvalue())[0]


# --- Our columns ------------------------------------------------------------------


def test_row_of_our_columns_is_read_whole():
    (row,) = parse(
        "sku,handle,name,category,price,description,stock,active\n"
        'L-1,lamp,"Lamp,  brass",Lighting,"1234,5",A lamp.,7,no\n'
    )

    assert row == Row(
        line=2,
        sku="L-1",
        slug="lamp",
        name="Lamp, brass",
        category="Lighting",
        price=Decimal("1234.5"),
        description="A lamp.",
        stock=7,
        active=False,
    )


def test_row_with_empty_cells_says_nothing_of_them():
    (row,) = parse("sku,name,price,stock,active\nL-1,,,,\n")

    assert row == Row(line=2, sku="L-1")


@pytest.mark.parametrize(
    "column, cell, said",
    [
        ("price", "-1", "negative"),
        ("price", "−1", "negative"),
        ("price", "NaN", "no price"),
        ("price", "Infinity", "no price"),
        ("price", "1e9", "no price"),
        ("price", "12.345", "no price"),
        ("price", "1,234.50", "no price"),
        ("price", "99999999999", "no price"),
        ("price", "=1+1", "no price"),
        ("price", "€5", "no price"),
        ("price", "١٢", "no price"),
        ("stock", "-3", "whole number"),
        ("stock", "1.5", "whole number"),
        ("stock", "2147483648", "whole number"),
        ("stock", "many", "whole number"),
        ("active", "perhaps", "yes or no"),
        ("category", "=cmd|' /C calc'!A0", "formula"),
        ("category", "@SUM(A1)", "formula"),
        ("category", "#REF!", "formula has failed"),
        ("category", "x" * 81, "at most 80"),
        ("description", "=HYPERLINK(1)", "formula"),
        ("description", "x" * 20_001, "at most 20000"),
        ("description", "a\x00b", "control"),
        ("handle", "x" * 181, "at most 180"),
    ],
)
def test_cell_that_cannot_be_is_told_by_line_and_column(column, cell, said):
    (problem,) = one(column, cell)

    assert problem.line == 2
    assert problem.column in (column, "")
    assert said in problem.text


@pytest.mark.parametrize(
    "cell, said", [("4,00639E+12", "rounded"), ("+49", "formula"), ("x" * 41, "40")]
)
def test_sku_that_a_spreadsheet_has_spoilt_is_told(cell, said):
    (problem,) = parse(f'sku,name\n"{cell}",Lamp\n')[0]

    assert (problem.column, said in problem.text) == ("sku", True)


@pytest.mark.parametrize("cell", ["- warm\n- bright", "+ a shade", "5 = five"])
def test_description_with_a_list_is_no_formula(cell):
    assert one("description", cell).description == cell


def test_row_with_several_problems_tells_them_all():
    (problems,) = parse("sku,price,stock\n=1,-2,x\n")

    assert [problem.column for problem in problems] == ["sku", "price", "stock"]


@pytest.mark.parametrize("row", ["L-1,Lamp", "L-1,Lamp,1,more"])
def test_row_of_another_width_is_told(row):
    ((problem,),) = parse(f"sku,name,price\n{row}\n")

    assert "cells, the first line has 3" in problem.text


def test_row_without_sku_and_handle_is_told():
    ((problem,),) = parse("sku,name\n,Lamp\n")

    assert (problem.column, problem.text) == ("sku", "It is empty.")


@pytest.mark.parametrize(
    "header, said",
    [
        ("sku", "missing"),
        ("price;name", "missing"),
        ("name,price", "missing"),
        ("sku,SKU,price", "twice"),
        ("one,two,three", "one, two, three"),
        ("Variant SKU,Variant Price", "missing"),
    ],
)
def test_header_that_names_too_little_is_told(header, said):
    with pytest.raises(Unreadable, match=said):
        layout_of(header.split(","))


# --- Shopify ----------------------------------------------------------------------

OLD = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,"
    "Variant SKU,Variant Inventory Qty,Variant Price,Image Src,Status"
)
NEW = (
    "URL handle,Title,Description,Vendor,Type,Tags,Published on online store,"
    "Option1 name,Option1 value,SKU,Inventory quantity,Price,Product image URL,Status"
)


@pytest.mark.parametrize("header", [OLD, NEW])
def test_shopify_product_without_options_is_one_product(header):
    rows = parse(
        f"{header}\n"
        "lamp,Lamp,<p>Warm.</p>,Us,Lighting,a,TRUE,Title,Default Title,"
        "'L-1,7,12.50,https://x/1.jpg,active\n"
        "lamp,,,,,,,,,,,,https://x/2.jpg,\n"
    )

    assert rows == [
        Row(
            line=2,
            sku="L-1",
            slug="lamp",
            name="Lamp",
            category="Lighting",
            price=Decimal("12.50"),
            description="Warm.",
            stock=7,
            active=True,
        )
    ]


def test_shopify_variants_are_products_of_their_own():
    red, blue, other = parse(
        f"{OLD}\n"
        "lamp,Lamp,Warm.,Us,Lighting,a,TRUE,Colour,Red,L-R,7,12.50,x,active\n"
        "lamp,,,,,,,,Blue,L-B,0,13.50,x,\n"
        "vase,Vase,,Us,,a,TRUE,Title,Default Title,V-1,1,5,x,active\n"
    )

    assert (red.name, red.slug, red.sku) == ("Lamp, Red", "lamp-red", "L-R")
    assert (blue.name, blue.slug, blue.sku) == ("Lamp, Blue", "lamp-blue", "L-B")
    assert (blue.category, blue.description) == ("Lighting", "Warm.")
    assert (blue.price, blue.stock, blue.active) == (Decimal("13.50"), 0, True)
    assert (other.category, other.description) == (None, None)


@pytest.mark.parametrize(
    "published, status, active",
    [
        ("TRUE", "active", True),
        ("true", "", True),
        ("FALSE", "active", False),
        ("TRUE", "draft", False),
        ("", "archived", False),
        ("", "", None),
    ],
)
def test_shopify_product_is_active_if_both_columns_say_so(published, status, active):
    (row,) = parse(
        "Handle,Title,Published,Status\n" f"lamp,Lamp,{published},{status}\n"
    )

    assert row.active is active


def test_shopify_category_without_a_type_is_the_leaf_of_the_taxonomy():
    (row,) = parse(
        "Handle,Title,Type,Product Category\nlamp,Lamp,,Home & Garden > Lighting\n"
    )

    assert row.category == "Lighting"


def test_shopify_file_for_new_products_may_name_them_alone():
    (row,) = parse("Title,Variant Price\nBrass Lamp,5\n")

    assert (row.slug, row.name) == ("brass-lamp", "Brass Lamp")


def test_handle_in_letters_that_addresses_do_not_have_gets_its_own_each_time():
    one_, two, again = (
        parse(f"Handle,Title\n{handle},Lamp\n")[0].slug
        for handle in ("лампа", "ваза", "лампа")
    )

    assert one_ == again != two
    assert one_.isascii()
