"""What is exported can be imported again, and a real export of Shopify can be too."""

import csv
import io
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from products import importing
from products.demo import loading
from products.importing import exporting
from products.models import (
    PictureFetch,
    Product,
    ProductCategory,
    ProductImage,
    Sale,
    Stock,
    StockMovement,
    Variant,
)
from products.stock import books
from tests.support.factories import (
    make_category,
    make_options,
    make_picture,
    make_product,
    make_user,
    make_variant,
)

pytestmark = pytest.mark.django_db
EXPORT = "admin:products_product_export"
FORMULA_SIGNS = tuple("=+-@")


def export() -> str:
    return "".join(exporting.rows(Product.objects.all()))


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, "")))


def run(text: str | bytes, **options) -> importing.Report:
    content = text.encode() if isinstance(text, str) else text
    return importing.run(io.BytesIO(content), importing.Options(**options))


def everything() -> list:
    """All rows of the catalogue and its stock."""
    models = (Product, ProductCategory, ProductImage, Stock, StockMovement, Variant)
    return [sorted(map(repr, model.objects.values_list())) for model in models]


def assert_import_changes_nothing() -> importing.Report:
    before = everything()

    report = run(export(), pictures=True)

    assert (report.problems, report.warnings) == ([], [])
    assert report.counts == {"unchanged": Product.objects.count()}
    assert report.layout.ignored == []
    assert not PictureFetch.objects.exists()
    assert everything() == before
    return report


# --- Our exports ------------------------------------------------------------------


def test_export_of_the_demo_can_be_imported_again_and_changes_nothing():
    loading.load_catalogue()
    loading.load_sale()
    assert Sale.objects.exists() and Variant.objects.count() > 100  # the premise

    report = assert_import_changes_nothing()

    assert report.pictures == ProductImage.objects.count()


def test_export_of_the_demo_fills_an_empty_shop():
    loading.load_catalogue()
    text = export()
    ProductImage.objects.all().delete()
    StockMovement.objects.all().delete()
    Product.objects.all().delete()
    ProductCategory.objects.all().delete()

    report = run(text)

    assert (report.problems, report.failed) == ([], 0)
    pictures = {*exporting.OF_PICTURE, "Variant Image"}
    before, after = (
        sorted(
            [value for name, value in row.items() if name not in pictures]
            for row in table(rows)
            if row["Variant SKU"]
        )
        for rows in (text, export())
    )
    assert before == after
    assert books.reconcile() == []


HOSTILE = [
    "=SUM(A1)",
    "'=1",
    "''=1",
    "+49 30 1234567",
    "-20% bundle",
    "@home",
    "a;=1",
    "a, =HYPERLINK(1)",
    '"=1"',
    "<b>bold</b> & more",
    "&amp; &lt;p&gt;",
    "two  spaces\u00a0and a no-break space",
    "#REF!x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_export_of_hostile_texts_has_no_formula_and_changes_nothing(text):
    make_options(
        {"option_values": [text], "sku": text[:40]},
        {"option_values": ["Plain"]},
        names=[text[:40]],
        name=text,
        description=text,
        category=make_category(name=" ".join(text.split())),
        image=make_picture(),
    )
    ProductImage.objects.update(alt=text)

    cells = [cell for row in table(export()) for cell in row.values()]
    assert [cell for cell in cells if cell.startswith(FORMULA_SIGNS)] == []
    assert_import_changes_nothing()


@pytest.mark.parametrize(
    "description",
    [
        "One.\r\n\r\nTwo,\r\nthree.",
        "  indented\n\n\n\nfar away  ",
        "<ul><li>a</li></ul>",
        "5 < 6 & 7 > 3",
        "",
        "=SUM(A1:B2)\n=1",
    ],
)
def test_export_of_a_description_changes_nothing(description):
    make_product(description=description)

    assert_import_changes_nothing()


def test_export_of_unusual_products_changes_nothing():
    make_variant(slug="Old_Lamp", sku="'L-1", is_active=False, tax_class_id="zero")
    make_variant(slug="-dash-", sku="D-1", on_hand=0)
    red, *_ = make_options(
        {"option_values": ["Red", "S"], "is_active": False, "weight": 300},
        {"option_values": ["Red", "M"]},
        {"option_values": ["Blue", "S"]},
        names=["Colour", "Size"],
        image=make_picture(),
    )
    ProductImage.objects.update(variant=red, position=0, alt="Red")

    assert_import_changes_nothing()


def test_export_has_shopifys_columns_and_a_row_for_each_variant_and_picture():
    red, blue = make_options(
        {"option_values": ["Red"], "sku": "C-R", "weight": 300, "on_hand": 4},
        {"option_values": ["Blue"], "sku": "C-B", "price": Decimal("19.00")},
        names=["Colour"],
        slug="cup",
        name="Cup",
        description="One.\n\nTwo.",
        category=make_category(name="Cups"),
        price="18.00",
    )
    for position in (1, 2, 3):
        ProductImage.objects.create(
            product=red.product,
            file=f"products/{position}.png",
            alt=f"View {position}",
            position=position,
            variant=blue if position == 2 else None,
        )
    Variant.objects.filter(pk=blue.pk).update(picture="products/2.png")

    first, second, third = table(export())

    assert (first["Handle"], first["Title"], first["Type"]) == ("cup", "Cup", "Cups")
    assert first["Body (HTML)"] == "<p>One.</p><p>Two.</p>"
    assert (first["Published"], first["Status"]) == ("TRUE", "active")
    assert (first["Option1 Name"], first["Option1 Value"]) == ("Colour", "Red")
    assert (first["Variant SKU"], first["Variant Price"]) == ("C-R", "18.00")
    assert (first["Variant Grams"], first["Variant Inventory Qty"]) == ("300", "4")
    assert first["Image Src"].startswith("http")
    assert first["Image Src"].endswith("/products/1.png")
    assert (second["Handle"], second["Title"]) == ("cup", "")
    assert (second["Option1 Name"], second["Option1 Value"]) == ("", "Blue")
    assert second["Variant Image"] == second["Image Src"]
    assert (third["Variant SKU"], third["Image Position"]) == ("", "3")
    assert third["Image Alt Text"] == "View 3"


def test_export_reads_products_in_chunks(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(exporting, "CHUNK", 2)
    for _ in range(5):
        make_product()

    with django_assert_num_queries(3 * 3 + 1):
        rows = table(export())

    assert len(rows) == 5


# --- The page ---------------------------------------------------------------------


def test_staff_download_all_products_or_those_they_select(client):
    lamp, vase = make_variant(slug="lamp"), make_variant(slug="vase")
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_product"))
    client.force_login(user)
    products = reverse("admin:products_product_changelist")

    answer = client.get(reverse(EXPORT))
    selected = client.post(
        products, {"action": "export", "_selected_action": [vase.product_id]}
    )

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="products-' in answer["Content-Disposition"]
    assert answer.streaming
    assert [row["Handle"] for row in table(answer.getvalue().decode())] == [
        lamp.product.slug,
        vase.product.slug,
    ]
    assert [row["Handle"] for row in table(selected.getvalue().decode())] == ["vase"]
    assert f'href="{reverse(EXPORT)}"' in client.get(products).text


def test_export_is_refused_without_the_permission_to_view_products(client):
    client.force_login(make_user(is_staff=True))

    assert client.get(reverse(EXPORT)).status_code == 403


# --- A real export ----------------------------------------------------------------

REAL = (
    "\ufeff"
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,"
    "Option1 Name,Option1 Value,Option1 Linked To,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,"
    "Variant Inventory Policy,Variant Fulfillment Service,Variant Price,"
    "Variant Compare At Price,Variant Requires Shipping,Variant Taxable,"
    "Variant Barcode,Image Src,Image Position,Image Alt Text,Gift Card,"
    "Variant Image,Variant Weight Unit,Variant Tax Code,Cost per item,Status\r\n"
    # Multi-line HTML, a negative stock, an apostrophe before a numeric SKU.
    'Classic-Tee,Classic Tee,"<p>Soft.</p>\r\n<ul>\r\n<li>Cotton, 180&nbsp;g</li>\r\n'
    '<li>Made in ""Porto""</li>\r\n</ul>\r\n<script>x()</script>",Bay Works,'
    'Apparel & Accessories > Clothing,,"new, summer",TRUE,Size,S,,Colour,Ecru,'
    "'1001,180.0,shopify,-2,deny,manual,18.00,,TRUE,TRUE,'401,"
    "https://cdn.example.com/tee.jpg?v=1,1,A tee,FALSE,"
    "https://cdn.example.com/tee.jpg?v=1,g,,9.50,active\r\n"
    # The handle in another case; an empty title; another product between.
    "classic-tee,,,,,,,,,M,,,Ecru,'1002,190.0,shopify,7,deny,manual,18.00,,TRUE,TRUE,,"
    "https://cdn.example.com/tee-2.jpg?v=1,2,,,,g,,,\r\n"
    "gift-card,Gift card,,Bay Works,,Cards,,TRUE,Title,Default Title,,,,,0,,,deny,"
    "gift_card,25.00,,FALSE,FALSE,,,,,TRUE,,kg,,,active\r\n"
    "CLASSIC-TEE,,,,,,,,,M,,,Navy,1003,190.0,shopify,3,deny,manual,19.00,24.00,TRUE,"
    "TRUE,,,,,,https://cdn.example.com/navy.jpg?v=1,g,,,\r\n"
    # A row that is only a picture.
    "classic-tee,,,,,,,,,,,,,,,,,,,,,,,,"
    "https://cdn.example.com/tee-3.jpg?v=1,3,,,,,,,\r\n"
    # A formula in a title; an empty price of a new product.
    "bad,=HYPERLINK(1),,Bay Works,,Cards,,TRUE,Title,Default Title,,,,B-1,0,,1,deny,"
    "manual,5.00,,TRUE,TRUE,,,,,FALSE,,g,,,active\r\n"
    "poster,Poster,,Bay Works,,Cards,,TRUE,Title,,,,,P-1,0,,1,deny,manual,,,TRUE,TRUE,"
    ",,,,FALSE,,g,,,draft\r\n"
)


def test_real_export_is_imported_with_its_quirks():
    report = run(REAL, pictures=True)

    tee = Product.objects.get(slug="classic-tee")
    assert (tee.name, tee.category.name) == ("Classic Tee", "Clothing")
    assert tee.description == 'Soft.\n\nCotton, 180 g\nMade in "Porto"'
    assert tee.option_names == ["Size", "Colour"]
    variants = tee.variants.order_by("position").values_list(
        "sku", "option_values", "weight", "price", "stock__on_hand"
    )
    assert list(variants) == [
        ("1001", ["S", "Ecru"], 180, Decimal("18.00"), 0),
        ("1002", ["M", "Ecru"], 190, Decimal("18.00"), 7),
        ("1003", ["M", "Navy"], 190, Decimal("19.00"), 3),
    ]
    card = Product.objects.get(slug="gift-card")
    assert (card.option_names, card.tax_class_id) == ([], "zero")
    assert card.lowest_price == Decimal("25.00")
    assert {"Vendor", "Tags", "Variant Barcode"} <= set(report.layout.ignored)
    assert "Variant Weight Unit" not in report.layout.ignored
    assert [(problem.column, problem.text[:28]) for problem in report.problems] == [
        ("Title", "This looks like a formula: “"),
        ("Variant Price", "A new product needs this."),
    ]
    assert [warning.line for warning in report.warnings] == [2]
    fetches = PictureFetch.objects.order_by("pk").select_related("variant")
    assert [
        (fetch.url[24:], fetch.position, fetch.variant and fetch.variant.sku)
        for fetch in fetches
    ] == [
        ("tee.jpg?v=1", 1, "1001"),
        ("tee-2.jpg?v=1", 2, None),
        ("tee-3.jpg?v=1", 3, None),
        ("navy.jpg?v=1", None, "1003"),
    ]


def test_real_export_imported_twice_changes_nothing_the_second_time():
    run(REAL)
    before = everything()

    report = run(REAL)

    assert report.counts == {"unchanged": 2}
    assert everything() == before
