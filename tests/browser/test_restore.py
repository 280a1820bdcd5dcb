"""A page that is open while the shop's database is restored to an earlier state."""

from playwright.sync_api import expect

from products.models import Stock
from products.stock import services as stocks
from tests.browser.pages import expect_no_reload, mark, stock, wait_until_live
from tests.support.factories import make_variant
from tests.support.rows import restored

BACK_S = 15  # an audit, and the socket's way back


def test_open_page_shows_the_restored_stock_and_each_sale_after_it(
    visit, make_daphne, transactional_db
):
    lamp = make_variant(name="Lamp", on_hand=20)
    saved = Stock.objects.filter(pk=lamp.pk).values("on_hand", "reserved", "version")[0]
    for _ in range(3):
        stocks.claim({lamp.pk: 2})
    page = visit("/products/", at=make_daphne(LIVE_AUDIT_S="0.5"))
    mark(page)
    expect(stock(page, lamp)).to_contain_text("14 in stock")

    with restored():
        Stock.objects.filter(pk=lamp.pk).update(**saved)
        lamp.movements.filter(version__gt=saved["version"]).delete()
        expect(stock(page, lamp)).to_contain_text("20 in stock", timeout=BACK_S * 1000)
        wait_until_live(page)
        stocks.claim({lamp.pk: 1})

        expect(stock(page, lamp)).to_contain_text("19 in stock")
        expect_no_reload(page)
