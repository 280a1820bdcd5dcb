"""Discounts in baskets that people look at."""

import pytest
from playwright.sync_api import Page, expect

from products.models import Discount, Variant
from products.pricing import discount_flips
from tests.browser.pages import another_tab, expect_no_reload, mark, messages, total
from tests.support.factories import make_discount, make_variant


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(name="Lamp", price="4.00")


def end(discount: Discount) -> None:
    discount_flips.end_discount(discount)
    discount_flips.settle_all()


def enter(page: Page, code: str) -> None:
    page.get_by_label("Discount code").fill(code)
    page.get_by_role("button", name="Apply").click()


def test_a_code_shows_in_every_tab_and_goes_when_it_ends(visit, lamp):
    spring = make_discount(percent="25")
    page = visit("/basket/", basket={lamp: 2})
    other = another_tab(page, "/basket/")
    for tab in (page, other):
        mark(tab)

    enter(page, "spring")

    for tab in (page, other):
        expect(tab.get_by_text("Discount (SPRING)")).to_be_visible()
        expect(total(tab)).to_have_text("€6.00")

    end(spring)

    for tab in (page, other):
        expect(tab.get_by_text("The code SPRING has expired.")).to_be_visible()
        expect(total(tab)).to_have_text("€8.00")
        expect_no_reload(tab)


def test_a_wrong_code_stays_in_its_field_and_says_why(visit, lamp, complaints):
    page = visit("/basket/", basket={lamp: 2})
    mark(page)

    enter(page, "SPRUNG")

    expect(messages(page)).to_contain_text("We don’t know this code.")
    expect(page.get_by_label("Discount code")).to_have_value("SPRUNG")
    expect_no_reload(page)
    assert "422" in complaints.pop()  # the console tells every refusal


def test_a_discount_on_lines_comes_and_goes_while_people_look(visit, lamp):
    page = visit("/basket/", basket={lamp: 2})
    text = page.get_by_text("Discount (Autumn): −€1.00")
    expect(text).to_have_count(0)
    mark(page)

    autumn = make_discount(code="", name="Autumn", amount="0.50", is_on_lines=True)
    autumn.variants.set([lamp])
    discount_flips.settle_all()

    expect(text).to_be_visible()
    expect(total(page)).to_have_text("€7.00")

    end(autumn)

    expect(text).to_have_count(0)
    expect(total(page)).to_have_text("€8.00")
    expect_no_reload(page)
