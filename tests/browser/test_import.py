"""Staff import a file of products, and people who just look see it."""

import csv
import io

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from products.fetching import services as fetching
from products.models import Variant
from tests.browser.looks import LOOKS, finish_animations, overflow
from tests.browser.pages import (
    bring_session,
    expect_no_reload,
    make_shopper,
    mark,
    stock,
)
from tests.support.factories import make_variant

FILE = """sku;name;category;price;stock
LAMP-1;;;9,90;1
VASE-1;Vase, green;Vases;25;3
BOWL-1;=HYPERLINK("http://x");Vases;5;1
BOWL-2;Bowl;Vases;-5;1
"""


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(name="Lamp", sku="LAMP-1", on_hand=7, price="4.00")


@pytest.fixture
def staff(visit, lamp, daphne):
    """Opens the admin's list of products, with or without JavaScript."""
    boss = make_shopper("staff", is_staff=True, is_superuser=True)

    def open_list(**options) -> Page:
        return visit(
            "/admin/products/product/",
            live=False,
            prepare=lambda page: bring_session(page.context, daphne.url, boss),
            **options,
        )

    return open_list


def choose(page: Page, text: str) -> None:
    page.get_by_role("link", name="Import", exact=True).click()
    file = {"name": "spring.csv", "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("CSV file").set_input_files(file)


def faults(page: Page, complaints: list[str]) -> list[str]:
    """What axe has against our part of the page (the rest is Django's), in all looks;
    and whether the page is wider than its window."""
    violations, before = [], len(complaints)
    for scheme, size in LOOKS:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        finish_animations(page)
        rules = Axe().run(page, context="#content-main").response["violations"]
        nodes = [node["html"] for rule in rules for node in rule["nodes"]]
        violations += [f"{scheme} {rule['id']}: {nodes}" for rule in rules]
        if overflow(page) > 0:
            violations.append(f"{size['width']}: {overflow(page)} px too wide")
    # Axe itself tries inline styles on Django's part, which the policy refuses.
    del complaints[before:]
    return violations


def test_import_in_the_admin_reaches_the_page_of_a_visitor(
    visit, lamp, staff, complaints
):
    looking = visit(lamp.get_absolute_url())
    mark(looking)
    page = staff()

    choose(page, FILE)
    assert faults(page, complaints) == []
    page.get_by_role("button", name="Preview import").click()
    expect(page.get_by_text("1 new product, 1 changed")).to_be_visible()
    row = page.get_by_role("row", name="BOWL")
    expect(page.get_by_text("This looks like a formula")).to_be_visible()
    expect(row).to_have_count(0)
    expect(stock(looking, lamp)).to_contain_text("4.00")
    assert faults(page, complaints) == []
    page.get_by_role("button", name="Import now").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="spring.csv was imported")).to_be_visible()
    assert faults(page, complaints) == []
    expect(stock(looking, lamp)).to_contain_text("9.90")
    expect(stock(looking, lamp)).to_contain_text("Only 1 left")
    expect_no_reload(looking)
    assert Variant.objects.get(sku="VASE-1").stock.available == 3


def test_import_in_the_admin_works_without_javascript(lamp, staff):
    page = staff(java_script_enabled=False)

    choose(page, "sku,price\nLAMP-1,5\n")
    page.get_by_role("button", name="Preview import").click()
    page.get_by_role("button", name="Import now").click()

    expect(page.get_by_text("1 changed, 0 unchanged")).to_be_visible()
    assert Variant.objects.get(pk=lamp.pk).price == 5


SHOPIFY = """Handle,Title,Type,Option1 Name,Option1 Value,Variant SKU,Price,Image Src
cup,Cup,Cups,Colour,Red,C-R,18.00,http://10.0.0.1/red.jpg
cup,,,,Blue,C-B,19.00,
mug,Mug,Mugs,Title,Default Title,M-1,-5,
"""


def test_import_of_variants_shows_its_downloads_and_is_exported(
    lamp, staff, complaints
):
    page = staff()

    choose(page, SHOPIFY)
    page.get_by_role("button", name="Preview import").click()
    expect(page.get_by_text("1 new product, 0 changed")).to_be_visible()
    expect(page.get_by_role("cell", name="Cup, Blue")).to_be_visible()
    page.get_by_label("Download 1 picture").check()
    assert faults(page, complaints) == []
    page.get_by_role("button", name="Import now").click()
    page.get_by_role("link", name="See the downloads of pictures").click()
    expect(page.get_by_text("0 of 1 picture downloaded · 1 waiting")).to_be_visible()
    assert faults(page, complaints) == []

    fetching.fetch_due()
    page.get_by_role("link", name="Update this page").click()
    failure = page.get_by_role("row", name="http://10.0.0.1/red.jpg")
    expect(failure).to_contain_text("private network")
    assert faults(page, complaints) == []
    page.get_by_role("link", name="Import another file").click()
    expect(page.get_by_role("link", name="spring.csv")).to_be_visible()
    assert faults(page, complaints) == []

    page.get_by_role("link", name="Products", exact=True).first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export", exact=True).click()
    text = download.value.path().read_text()
    assert [row["Variant SKU"] for row in csv.DictReader(io.StringIO(text))] == [
        *("LAMP-1", "C-R", "C-B")
    ]


def test_import_asks_how_a_file_reads_right(lamp, staff, complaints):
    page = staff(java_script_enabled=True)

    page.get_by_role("link", name="Import", exact=True).click()
    content = "sku;name\nLAMP-1;Café\n".encode("cp1252")
    file = {"name": "spring.csv", "mimeType": "text/csv", "buffer": content}
    page.get_by_label("CSV file").set_input_files(file)
    page.get_by_role("button", name="Preview import").click()
    expect(page.get_by_text("LAMP-1;Café", exact=True)).to_be_visible()
    assert faults(page, complaints) == []
    page.get_by_role("button", name="This looks right: Windows, Western").press("Enter")

    expect(page.get_by_text("Read as cp1252")).to_be_visible()
    expect(page.get_by_label("Encoding")).to_have_value("cp1252")
    assert faults(page, complaints) == []
    page.get_by_role("button", name="Import now").click()
    expect(page.get_by_text("1 changed, 0 unchanged")).to_be_visible()
    lamp.refresh_from_db()
    assert lamp.name == "Café"
