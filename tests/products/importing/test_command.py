"""`manage.py import_products`, as an operator runs it."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from products.models import Product, StockMovement, Variant
from tests.support.factories import make_category, make_product

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path):
    """Writes a file to import."""

    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "spring.csv"
        path.write_text(text, encoding=encoding)
        return path

    return write


def test_command_imports_a_file_and_says_what_it_did(file, capsys):
    make_product(sku="L-1")

    call_command(
        "import_products",
        str(file("sku;name;price;tags\nL-1;Lampe;9,90;x\n", "cp1252")),
    )

    assert Variant.objects.get().price == Decimal("9.90")
    out = capsys.readouterr().out
    assert "our columns, utf-8, delimiter ';'" in out
    assert "Not imported: tags" in out
    assert "0 new products, 1 changed, 0 unchanged, 0 rows left out." in out


def test_command_with_errors_names_them_goes_on_and_fails(file, capsys):
    make_category(slug="lamps")
    path = file("sku,name,price,stock\nL-1,Lamp,-5,1\nL-2,Lamp,5,2\n")

    with pytest.raises(CommandError, match="1 rows? (was|were) left out"):
        call_command("import_products", str(path), category="lamps")

    assert Variant.objects.get().sku == "L-2"
    assert StockMovement.objects.get().note == "import spring.csv"
    assert "line 2, price: A price must not be negative" in capsys.readouterr().err


def test_command_dry_run_writes_nothing(file, capsys):
    path = file("sku,name,category,price\nL-1,Lamp,Lamps,5\n")

    call_command("import_products", str(path), dry_run=True)

    assert not Product.objects.exists()
    out = capsys.readouterr().out
    assert "nothing was written" in out
    assert "1 new product, " in out
    assert "New categories: Lamps" in out


def test_command_shows_its_progress(file, capsys):
    call_command(
        "import_products", str(file("sku,name,category,price\nL-1,Lamp,Lamps,5\n"))
    )

    assert "spring.csv: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, message", [("", "empty"), ("one\n1\n", "Columns are missing")]
)
def test_command_with_a_file_without_a_table_fails_with_a_sentence(file, text, message):
    with pytest.raises(CommandError, match=message):
        call_command("import_products", str(file(text)))


def test_command_with_a_missing_file_or_category_fails_with_a_sentence(file, tmp_path):
    with pytest.raises(CommandError, match="There is no file"):
        call_command("import_products", str(tmp_path / "none.csv"))
    with pytest.raises(CommandError, match="There is no category 'none'"):
        call_command("import_products", str(file("sku,name\n")), category="none")


def test_command_with_an_uncertain_encoding_lists_the_choices(file):
    make_product(sku="L-1", name="Lamp")
    path = str(file("sku;name\nL-1;Café\n", "cp1252"))

    with pytest.raises(CommandError) as raised:
        call_command("import_products", path)

    assert "encoding of this file is not certain" in str(raised.value)
    assert "--encoding cp1252" in str(raised.value)
    assert "L-1;Café" in str(raised.value)
    assert Product.objects.get().name == "Lamp"


@pytest.mark.parametrize("name", ["cp1252", "windows-1252", "CP1252"])
def test_command_takes_encoding_and_delimiter(file, name):
    make_product(sku="L-1")
    path = str(file("sku\tname\nL-1\tCafé\n", "cp1252"))

    call_command("import_products", path, "--encoding", name, "--delimiter", "tab")

    assert Product.objects.get().name == "Café"


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--encoding", "klingon"], "There is no encoding"),
        (["--encoding", "rot13"], "is none of"),
        (["--delimiter", "ab"], "Write one character"),
        (["--delimiter", '"'], "Write one character"),
    ],
)
def test_command_with_an_unknown_encoding_or_delimiter_says_so(file, flags, message):
    with pytest.raises(CommandError, match=message):
        call_command("import_products", str(file("sku,name\n")), *flags)
