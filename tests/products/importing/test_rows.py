"""Cells as what a product is to be, and the words for those that cannot be."""

import csv
import io
from decimal import Decimal

import pytest

from products.importing import words
from products.importing.columns import layout_of
from products.importing.pictures import Picture
from products.importing.problems import Unreadable
from products.importing.rows import BadRow, Row, rows_of


def parse(text: str) -> list:
    """Return the rows of a file; of rows with problems, the problems."""
    header, *cells = csv.reader(io.StringIO(text))
    rows = rows_of(layout_of(header), enumerate(cells, start=2))
    return [row.problems if isinstance(row, BadRow) else row for row in rows]


def one(column: str, cell: str) -> Row | list:
    out = io.StringIO()
    csv.writer(out).writerows([["sku", "name", column], ["L-1", "Lamp", cell]])
    return parse(out.getvalue())[0]


# --- Our columns ------------------------------------------------------------------


def test_row_with_our_columns_is_read_completely():
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


def test_row_with_empty_cells_has_none_for_them():
    (row,) = parse("sku,name,price,stock,active\nL-1,,,,\n")

    assert row == Row(line=2, sku="L-1")


@pytest.mark.parametrize(
    "column, cell, message",
    [
        ("price", "-1", "negative"),
        ("price", "−1", "negative"),
        ("price", "NaN", "not a price"),
        ("price", "Infinity", "not a price"),
        ("price", "1e9", "not a price"),
        ("price", "12.345", "more than one number"),
        ("price", "1,000", "more than one number"),
        ("price", "1.000", "more than one number"),
        ("price", "1 000", "more than one number"),
        ("price", "1'000", "more than one number"),
        ("price", "19.9950", "not a price"),
        ("price", "1,234.567", "not a price"),
        ("price", "1,23,456.00", "not a price"),
        ("price", "1_000", "not a price"),
        ("price", "+5", "not a price"),
        ("price", "(5.00)", "not a price"),
        ("price", "0x10", "not a price"),
        ("price", "１２", "not a price"),
        ("price", "5" + "0" * 5000, "not a price"),
        ("price", "x" * 100_000, "not a price"),
        ("price", "-€ 5", "negative"),
        ("price", "$5", "in $. The shop's prices are in EUR"),
        ("price", "5 USD", "in USD"),
        ("price", "19,90 zł", "in zł"),
        ("price", "5 / piece", "not a price"),
        ("price", "99999999999", "not a price"),
        ("price", "=1+1", "not a price"),
        ("price", "١٢", "not a price"),
        ("stock", "-3", "whole number"),
        ("stock", "--1", "whole number"),
        ("stock", "+5", "whole number"),
        ("stock", "1.5", "whole number"),
        ("stock", "1,000", "more than one number"),
        ("stock", "12,000", "more than one number"),
        ("stock", "1.000", "more than one number"),
        ("stock", "999.000", "more than one number"),
        ("stock", "1 000", "more than one number"),
        ("stock", "1\u00a0000", "more than one number"),
        ("stock", "1\u202f000", "more than one number"),
        ("stock", "1'000", "more than one number"),
        ("stock", "1’000", "more than one number"),
        ("stock", "1e3", "whole number"),
        ("stock", "1E+03", "whole number"),
        ("stock", "１２", "whole number"),
        ("stock", "١٢", "whole number"),
        ("stock", "0x10", "whole number"),
        ("stock", "1_000", "whole number"),
        ("stock", "1 2", "whole number"),
        ("stock", "1,2,3", "whole number"),
        ("stock", "1.000,5", "whole number"),
        ("stock", "7 pcs", "whole number"),
        ("stock", "2147483648", "whole number"),
        ("stock", "many", "whole number"),
        ("active", "perhaps", "yes or no"),
        ("category", "=cmd|' /C calc'!A0", "formula"),
        ("category", "@SUM(A1)", "formula"),
        ("category", "+cmd|'/c calc'!A0", "formula"),
        ("category", "-2+3+cmd|'/c calc'!A0", "formula"),
        ("category", '+HYPERLINK("http://x")', "formula"),
        ("category", "-NOW()", "formula"),
        ("category", "＝1+1", "formula"),
        ("category", "#REF!", "formula failed"),
        ("category", "#NAME?", "formula failed"),
        ("category", "#DIV/0!", "formula failed"),
        ("category", "#N/A", "formula failed"),
        ("category", "#WERT!", "formula failed"),
        ("category", "#ИМЯ?", "formula failed"),
        ("category", "#¡REF!", "formula failed"),
        ("category", "#¿NOMBRE?", "formula failed"),
        ("category", "#Н/Д", "formula failed"),
        ("category", "#I/T", "formula failed"),
        ("category", "Err:502", "formula failed"),
        ("category", "x" * 81, "The limit is 80."),
        ("description", "=HYPERLINK(1)", "formula"),
        ("description", "x" * 20_001, "The limit is 20000."),
        ("description", "a\x00b", "control"),
        ("handle", "x" * 181, "The limit is 180."),
        ("handle", "4,00639E+12", "rounded"),
    ],
)
def test_cell_with_a_bad_value_is_a_problem_with_line_and_column(column, cell, message):
    (problem,) = one(column, cell)

    assert problem.line == 2
    assert problem.column in (column, "")
    assert message in problem.text


@pytest.mark.parametrize("field", ["sku", "name"])
def test_cell_with_forced_text_is_read_as_that_text(field):
    row = parse('sku,name\n"=""0012""","=""0012"""\n')[0]

    assert getattr(row, field) == "0012"


@pytest.mark.parametrize("cell", ['="=1+1"', '="4E+12"'])
def test_cell_with_forced_text_is_checked_like_any_other(cell):
    (problem,) = one("handle", cell)

    assert "formula" in problem.text or "rounded" in problem.text


@pytest.mark.parametrize(
    "cell, message",
    [
        ("4,00639E+12", "rounded"),
        ("4.00638E+12", "rounded"),
        ("4E+12", "rounded"),
        ("4e+12", "rounded"),
        ("1E-05", "rounded"),
        ("4.0E12", "rounded"),
        ("=1+1", "formula"),
        ("#NAME?", "failed"),
        ("x" * 41, "40"),
    ],
)
def test_sku_that_a_spreadsheet_has_rounded_is_a_problem(cell, message):
    (problem,) = parse(f'sku,name\n"{cell}",Lamp\n')[0]

    assert (problem.column, message in problem.text) == ("sku", True)


@pytest.mark.parametrize("cell", ["-N4", "+49", "@1", "2E10", "1E5", "E+12", "#1"])
def test_sku_that_only_looks_rounded_is_accepted(cell):
    (row,) = parse(f'sku,name\n"{cell}",Lamp\n')

    assert row.sku == cell


@pytest.mark.parametrize(
    "cell",
    ["-20% bundle", "@home mug", "+1 lamp", "@home (large)", "-N4", "# 5", "＋ lamp"],
)
def test_name_that_begins_with_a_sign_is_accepted(cell):
    (row,) = parse(f'sku,name\nL-1,"{cell}"\n')

    assert row.name == cell


@pytest.mark.parametrize(
    "cell, units",
    [
        ("12", 12),
        ("007", 7),
        ("12.0", 12),
        ("12,00", 12),
        ("12.0000", 12),
        ("1000.000", 1000),
        ("0,000", 0),
        ("1,234.00", 1234),
        ("1.234,00", 1234),
        ("1,234,567", 1234567),
        ("  5\u00a0", 5),
    ],
)
def test_stock_that_is_unambiguous_is_accepted(cell, units):
    assert one("stock", cell).stock == units


@pytest.mark.parametrize(
    "cell, price",
    [
        ("1234.5", "1234.50"),
        ("1,234.50", "1234.50"),
        ("1.234,50", "1234.50"),
        ("1 234,50", "1234.50"),
        ("1\u00a0234,50", "1234.50"),
        ("1\u202f234,50", "1234.50"),
        ("1'234.50", "1234.50"),
        ("1,234,567", "1234567"),
        ("19.9900", "19.99"),
        ("19,9000", "19.90"),
        ("0.500", "0.50"),
        ("1234.500", "1234.50"),
        ("€5", "5"),
        ("€ 19,90", "19.90"),
        ("19,90 €", "19.90"),
        ("19,90\u00a0€", "19.90"),
        ("\u200e19,90 €\u200f", "19.90"),
        ("EUR 1.234,50", "1234.50"),
        ("19.90 eur", "19.90"),
        ("19,-", "19"),
        ("19,– €", "19"),
    ],
)
def test_price_that_is_unambiguous_is_accepted(cell, price):
    assert one("price", cell).price == Decimal(price)


@pytest.mark.parametrize(
    "cell, active",
    [
        *[("ja", True), ("WAHR", True), ("VRAI", True), ("oui", True), ("да", True)],
        *[("SÍ", True), ("x", True), ("ИСТИНА", True), ("Evet", True), ("はい", True)],
        *[("nein", False), ("FALSCH", False), ("FAUX", False), ("non", False)],
        *[("нет", False), ("ЛОЖЬ", False), ("não", False), ("HAYIR", False)],
        *[("nie", False), ("DOĞRU", True), ("İnaktif", None), ("si\u0301", True)],
        *[("-1", True), ("1.0", True), ("✅", True), ("❌", False), ("нетачно", False)],
    ],
)
def test_flag_in_another_language_is_accepted(cell, active):
    row = one("active", cell)

    assert (row.active if isinstance(row, Row) else None) is active


def test_words_for_yes_and_no_have_none_in_common():
    assert not {words.plain(w) for w in words.YES.split()} & {
        words.plain(w) for w in words.NO.split()
    }


@pytest.mark.parametrize("cell", ["- warm\n- bright", "+ a shade", "5 = five"])
def test_description_that_begins_with_a_list_is_accepted(cell):
    assert one("description", cell).description == cell


def test_row_with_several_problems_reports_them_all():
    (problems,) = parse("sku,price,stock\n=1,-2,x\n")

    assert [problem.column for problem in problems] == ["sku", "price", "stock"]


def test_row_with_too_many_cells_is_a_problem():
    ((problem,),) = parse("sku,name,price\nL-1,Lamp,1,more\n")

    assert "cells, the first line has 3" in problem.text


def test_row_with_too_few_cells_is_completed_with_a_warning():
    (row,) = parse("sku,name,price,stock\nL-1,Lamp\n")

    assert (row.sku, row.name, row.price, row.stock) == ("L-1", "Lamp", None, None)
    (warning,) = row.warnings
    assert (warning.line, warning.column) == (2, "")
    assert "2 of 4 cells" in warning.text


@pytest.mark.parametrize(
    "text",
    [
        "sku,name\nL-1,Lamp,,\n",
        "sku,name,\nL-1,Lamp,\n",
        "sku,name,,\nL-1,Lamp\n",
        "\ufeffsku,name\nL-1,Lamp\n",
        '"\ufeffsku",name\nL-1,Lamp\n',
    ],
)
def test_row_with_empty_cells_at_the_end_or_marks_in_a_name_is_accepted(text):
    (row,) = parse(text)

    assert (row.sku, row.name) == ("L-1", "Lamp")


def test_row_without_sku_and_handle_is_a_problem():
    ((problem,),) = parse("sku,name\n,Lamp\n")

    assert (problem.column, problem.text) == ("sku", "This is empty.")


@pytest.mark.parametrize(
    "header, message",
    [
        ("sku", "missing"),
        ("price;name", "missing"),
        ("name,price", "missing"),
        ("sku,SKU,price", "twice"),
        ("one,two,three", "one, two, three"),
        ("Variant SKU,Variant Price", "missing"),
    ],
)
def test_header_without_the_required_columns_is_refused(header, message):
    with pytest.raises(Unreadable, match=message):
        layout_of(header.split(","))


# --- Shopify ----------------------------------------------------------------------

OLD = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,"
    "Variant SKU,Variant Inventory Qty,Variant Price,Variant Grams,Image Src,Status"
)
NEW = (
    "URL handle,Title,Description,Vendor,Type,Tags,Published on online store,"
    "Option1 name,Option1 value,SKU,Inventory quantity,Price,Weight value (grams),"
    "Product image URL,Status"
)


@pytest.mark.parametrize("header", [OLD, NEW])
def test_shopify_row_is_read_completely(header):
    row, picture = parse(
        f"{header}\n"
        "Lamp,Lamp,<p>Warm.</p>,Us,Lighting,a,TRUE,Colour,Red,"
        "'L-1,7,12.50,1360.7711,https://x/1.jpg,active\n"
        "lamp,,,,,,,,,,,,,https://x/2.jpg,\n"
    )

    assert row == Row(
        line=2,
        sku="L-1",
        slug="lamp",
        name="Lamp",
        category="Lighting",
        price=Decimal("12.50"),
        description="Warm.",
        stock=7,
        group="lamp",
        weight=1361,
        published=True,
        status=True,
        option_names={1: "Colour"},
        option_values={1: "Red"},
        picture=Picture(2, "https://x/1.jpg"),
    )
    assert (picture.group, picture.is_variant) == ("lamp", False)


@pytest.mark.parametrize("cell", ["-1", "heavy", "99999999999", "1,000"])
def test_shopify_weight_that_is_none_is_a_problem(cell):
    ((problem,),) = parse(f'Handle,Title,Variant Grams\nlamp,Lamp,"{cell}"\n')

    assert (problem.line, problem.column) == (2, "Variant Grams")
    assert "not a weight in grams" in problem.text


@pytest.mark.parametrize(
    "taxable, code, tax_class",
    [
        ("TRUE", "", None),
        ("FALSE", "", "zero"),
        ("FALSE", "reduced", "reduced"),
        ("", "", None),
    ],
)
def test_shopify_product_that_is_not_taxable_has_the_rate_zero(
    taxable, code, tax_class
):
    header = "Handle,Title,Variant Taxable,Variant Tax Code"
    (row,) = parse(f"{header}\nlamp,Lamp,{taxable},{code}\n")

    assert row.tax_class == tax_class


@pytest.mark.parametrize("cell", ["-2", "−2", "-1,000", "-2.0"])
def test_shopify_stock_below_zero_counts_as_zero_with_a_warning(cell):
    (row,) = parse(f'Handle,Title,Variant Inventory Qty\nlamp,Lamp,"{cell}"\n')

    assert row.stock == 0
    (warning,) = row.warnings
    assert (warning.line, warning.column) == (2, "Variant Inventory Qty")
    assert f"“{cell}”" in warning.text


@pytest.mark.parametrize("cell", ["-", "--1", "-x"])
def test_shopify_stock_that_is_no_number_is_a_problem(cell):
    ((problem,),) = parse(f"Handle,Title,Variant Inventory Qty\nlamp,Lamp,{cell}\n")

    assert "whole number" in problem.text


def test_shopify_category_without_a_type_is_the_last_level_of_the_taxonomy():
    (row,) = parse(
        "Handle,Title,Type,Product Category\nlamp,Lamp,,Home & Garden > Lighting\n"
    )

    assert row.category == "Lighting"


def test_shopify_file_with_names_alone_is_accepted():
    (row,) = parse("Title,Variant Price\nBrass Lamp,5\n")

    assert (row.slug, row.name) == ("brass-lamp", "Brass Lamp")


def test_handle_with_letters_that_slugs_lack_gets_a_stable_slug():
    one_, two, again = (
        parse(f"Handle,Title\n{handle},Lamp\n")[0].slug
        for handle in ("лампа", "ваза", "лампа")
    )

    assert one_ == again != two
    assert one_.isascii()
