"""Staff edit the variants of a product in the admin, with and without JavaScript."""

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from products.models import Variant
from products.stock import services as stocks
from tests.browser.looks import DESK
from tests.browser.pages import bring_session, expect_no_reload, make_shopper, mark
from tests.browser.test_import import faults
from tests.support.factories import make_options


@pytest.fixture
def mugs(transactional_db) -> list[Variant]:
    return make_options(
        *({"sku": f"M-{size}", "option_values": [size]} for size in "SML"),
        names=["Size"],
        name="Mug",
        slug="mug",
    )


@pytest.fixture
def grid(visit, mugs, daphne):
    """Opens the grid of the mugs."""
    boss = make_shopper("staff", is_staff=True, is_superuser=True)

    def open_grid(**options) -> Page:
        return visit(
            f"/admin/products/product/{mugs[0].product_id}/variants/",
            live=False,
            prepare=lambda page: bring_session(page.context, daphne.url, boss),
            **options,
        )

    return open_grid


def test_grid_is_good_in_all_looks_and_shows_live_stock(grid, mugs, complaints):
    page = grid(viewport=DESK)
    assert faults(page, complaints) == []
    mark(page)

    stocks.receive(mugs[0].pk, 5)
    expect(page.locator("[data-row]").first).to_contain_text("15 available")
    expect_no_reload(page)

    page.get_by_label("price: S").fill("-1")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Nothing was saved")).to_be_visible()
    assert faults(page, complaints) == []


def test_rows_are_chosen_together_and_dragged_into_another_order(grid, mugs):
    page = grid(viewport=DESK)
    page.get_by_label("Choose all").check()
    page.locator("#id_bulk-price").fill("9.50")
    handles = page.locator(".variants__handle")
    handles.nth(2).drag_to(
        page.locator("[data-row]").nth(0), target_position={"x": 60, "y": 3}
    )
    expect(page.get_by_label("position: L")).to_have_value("1")

    page.get_by_role("button", name="Set for the chosen rows").click()

    expect(page.get_by_text("3 variants were saved.")).to_be_visible()
    rows = Variant.objects.order_by("position")
    assert [row.sku for row in rows] == ["M-L", "M-S", "M-M"]
    assert {row.price for row in rows} == {Decimal("9.50")}


def test_options_become_variants_without_javascript(grid, mugs):
    page = grid(java_script_enabled=False)
    page.locator("#id_options-name-1").fill("Colour")
    page.locator("#id_options-values-1").fill("Tide\nMoss")
    page.get_by_role("button", name="Save options").click()

    expect(page.get_by_text("3 variants were added")).to_be_visible()
    page.get_by_label("active: S, Moss").check()
    page.get_by_label("position: S, Moss").fill("0")
    page.get_by_label("stock change: S, Moss").fill("4")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_text("1 variant was saved.")).to_be_visible()
    moss = Variant.objects.get(option_values=["S", "Moss"])
    assert moss.is_active and moss.position == 0 and moss.stock.on_hand == 4
