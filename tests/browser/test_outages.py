"""What a visitor sees while servers and networks fail, and when they are back."""

import json
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from socket import SHUT_RDWR

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect
from websockets.sync.server import ServerConnection, serve

from products.models import Variant
from products.stock import services as stocks
from realtime import protocol
from realtime.loadtest.watchers import longest_wait
from tests.browser.pages import (
    another_tab,
    badge,
    bring_basket,
    buy,
    expect_no_reload,
    mark,
    messages,
    notice,
    stock,
    wait_until_live,
)
from tests.support.factories import make_variant
from tests.support.servers import wait_until

ROOT = Path(__file__).parents[2]
LOST_S = 30
BACK_S = 10  # "within seconds": the longest pause between two attempts is 4


@pytest.fixture
def lamp(transactional_db) -> Variant:
    return make_variant(name="Lamp", on_hand=20)


@pytest.fixture
def outage(complaints) -> None:
    """Browsers may complain, for there is reason to."""
    complaints.forgive()


def expect_stock(
    page: Page, variant: Variant, units: int, within_s: float = BACK_S
) -> None:
    """The page shows what the database holds, soon, and without a reload."""
    expect(stock(page, variant)).to_contain_text(
        f"{units} in stock", timeout=within_s * 1000
    )
    expect(notice(page)).to_be_hidden(timeout=within_s * 1000)
    expect_no_reload(page)


WATCH_NOTICE = """
const notice = document.getElementById("live-status");
const look = () => { window.wasSaid ||= !notice.hidden; };
new MutationObserver(look).observe(notice, { attributes: true });
"""


class Gate:
    """Stands between a page and its socket."""

    def __init__(self) -> None:
        self.refuses = False
        self.opened = self.silenced = self.swallowed = 0

    def guard(self, page: Page) -> None:
        page.route_web_socket("**/ws/", self._open)
        page.route("**/ws/", self._ask)

    def guard_by_the_clock(self, page: Page) -> None:
        """The same on a page whose clock the test can put forward."""
        self.guard(page)
        page.clock.install()

    def _open(self, socket: WebSocketRoute) -> None:
        self.opened += 1
        if self.refuses:
            socket.close()
            return
        server, number = socket.connect_to_server(), self.opened

        def pass_on(message: str | bytes) -> None:
            if number <= self.silenced:
                self.swallowed += 1
            else:
                socket.send(message)

        server.on_message(pass_on)

    def _ask(self, route: Route) -> None:
        """The page asks why it gets no socket: nobody is there."""
        route.abort() if self.refuses else route.continue_()

    def silence(self) -> None:
        """Swallow what comes over the sockets that are open now."""
        self.silenced = self.opened

    def wait_for(self, page: Page, *, swallowed: int) -> None:
        end = time.monotonic() + BACK_S
        while self.swallowed < swallowed:
            assert time.monotonic() < end, f"only {self.swallowed} frames came"
            page.wait_for_timeout(20)


# --- The socket alone -------------------------------------------------------------


def test_a_page_without_a_socket_says_so_and_its_forms_still_work(visit, lamp, outage):
    gate = Gate()
    gate.refuses = True
    page = visit("/products/", live=False, prepare=gate.guard)
    mark(page)

    expect(notice(page)).to_be_visible()
    expect(notice(page)).to_contain_text("paused")

    buy(page, lamp).click()
    expect(messages(page)).to_contain_text("Lamp is in your basket.")
    expect(badge(page)).to_have_text("1")

    stocks.count(lamp.pk, 12)
    gate.refuses = False

    expect_stock(page, lamp, 12)


def test_a_socket_back_at_once_is_not_spoken_of(visit, lamp):
    page = visit("/products/")
    page.evaluate(WATCH_NOTICE)

    page.evaluate("window.dispatchEvent(new Event('offline'))")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    stocks.count(lamp.pk, 12)

    expect(stock(page, lamp)).to_contain_text("12 in stock")
    assert page.evaluate("window.wasSaid") is False


def test_a_lost_push_is_found_by_the_next_heartbeat(visit, lamp, beating_daphne):
    gate = Gate()
    page = visit("/products/", at=beating_daphne, prepare=gate.guard)
    mark(page)

    gate.silence()
    stocks.count(lamp.pk, 12)
    gate.wait_for(page, swallowed=1)
    gate.silenced = 0

    expect_stock(page, lamp, 12)
    assert gate.opened == 1  # over the same socket


def test_a_socket_that_fell_silent_is_replaced_when_the_page_is_looked_at(visit, lamp):
    gate = Gate()
    page = visit("/products/", prepare=gate.guard_by_the_clock)
    mark(page)
    gate.silence()
    stocks.count(lamp.pk, 12)
    gate.wait_for(page, swallowed=1)

    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    gate.wait_for(page, swallowed=2)  # the answer to its question
    page.clock.fast_forward(5_000)

    expect_stock(page, lamp, 12)
    assert gate.opened == 2


def test_a_socket_that_fell_silent_is_replaced_in_the_end(visit, lamp):
    gate = Gate()
    page = visit("/products/", prepare=gate.guard_by_the_clock)
    mark(page)
    gate.silence()
    stocks.count(lamp.pk, 12)
    gate.wait_for(page, swallowed=1)
    expect(stock(page, lamp)).to_contain_text("20 in stock")

    page.clock.fast_forward(41_000)

    expect_stock(page, lamp, 12)


# --- Servers ----------------------------------------------------------------------


def test_the_server_killed_and_started_again(visit, lamp, daphne, outage):
    page = visit("/products/", basket={lamp: 2})
    other = another_tab(page, lamp.get_absolute_url())
    for each in (page, other):
        mark(each)

    daphne.kill()
    for each in (page, other):
        expect(notice(each)).to_be_visible()
    buy(page, lamp).click()
    expect(messages(page)).to_contain_text("Something went wrong.")
    stocks.count(lamp.pk, 12)
    daphne.start()

    for each in (page, other):
        # No heartbeat has limited their waits, which grow while the server starts.
        expect_stock(each, lamp, 12, within_s=LOST_S)
    buy(page, lamp).click()
    for each in (page, other):
        expect(badge(each)).to_have_text("3")


def test_redis_killed_and_started_again(visit, lamp, redis_server, beating_daphne):
    page = visit("/products/", at=beating_daphne)
    mark(page)

    redis_server.stop(signal.SIGKILL)
    stocks.count(lamp.pk, 12)
    expect_stock(page, lamp, 12)  # the database is asked meanwhile
    buy(page, lamp).click()
    expect(badge(page)).to_have_text("1")
    redis_server.start()

    stocks.count(lamp.pk, 13)
    expect_stock(page, lamp, 13)
    page.wait_for_timeout(2500)  # the hub has noticed, and polls no more
    for units in (14, 15, 16):
        stocks.count(lamp.pk, units)
        expect(stock(page, lamp)).to_contain_text(f"{units} in stock", timeout=1000)


# --- The visitor's machine --------------------------------------------------------


def test_a_network_lost_and_found(visit, lamp, outage):
    page = visit("/products/")
    mark(page)

    page.context.set_offline(True)
    expect(notice(page)).to_be_visible()
    stocks.count(lamp.pk, 12)
    page.context.set_offline(False)

    expect_stock(page, lamp, 12)


@pytest.mark.parametrize("is_cut_off", [False, True])
def test_a_tab_that_slept(visit, lamp, daphne, outage, is_cut_off):
    page = visit("/products/")
    mark(page)
    chrome = page.context.new_cdp_session(page)

    chrome.send("Page.setWebLifecycleState", {"state": "frozen"})
    if is_cut_off:
        daphne.kill()
    stocks.count(lamp.pk, 12)
    if is_cut_off:
        daphne.start()
    chrome.send("Page.setWebLifecycleState", {"state": "active"})

    expect_stock(page, lamp, 12)


def test_a_page_come_back_to_from_history_is_up_to_date(visit, lamp):
    page = visit("/products/")
    page.goto(lamp.get_absolute_url())
    buy(page, lamp).click()
    expect(badge(page)).to_have_text("1")
    stocks.count(lamp.pk, 0)

    page.go_back()

    expect(badge(page)).to_have_text("1")
    expect(stock(page, lamp)).to_contain_text("Sold out")
    expect(buy(page, lamp)).to_be_disabled()


def test_a_page_that_the_browser_kept_alive_is_up_to_date(
    keeping_browser, lamp, daphne
):
    context = keeping_browser.new_context(base_url=daphne.url)
    bring_basket(context, daphne.url, {lamp: 1})
    page = context.new_page()
    page.goto("/products/")
    wait_until_live(page)
    mark(page)
    page.goto(lamp.get_absolute_url())
    buy(page, lamp).click()
    expect(badge(page)).to_have_text("2")
    stocks.count(lamp.pk, 0)

    page.go_back(wait_until="commit")  # nothing is loaded

    expect(badge(page)).to_have_text("2")
    expect(stock(page, lamp)).to_contain_text("Sold out")
    expect(buy(page, lamp)).to_be_disabled()
    expect_no_reload(page)


RETURNS = """async ([source, url, count]) => {
    const blob = new Blob([source], { type: "text/javascript" });
    const { Live } = await import(URL.createObjectURL(blob));
    for (let n = 0; n < count; n++) {
        const shown = () => new Map([["stock:1", 1]]);
        new Live(url, shown, () => {}, () => {}, () => false).connect();
    }
}"""
PAGES = 30
SPREAD_MS = 3000


class Dying:
    """A server of sockets that beats once, and dies with all of them at a time."""

    def __init__(self) -> None:
        self.came: list[float] = []
        self._lost = threading.Barrier(PAGES)
        self._server = serve(self._talk, "127.0.0.1", 0, subprotocols=["shop.v1"])
        self.url = "ws://127.0.0.1:%d/ws/" % self._server.socket.getsockname()[1]

    def __enter__(self) -> "Dying":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception) -> None:
        self._server.shutdown()

    def _talk(self, socket: ServerConnection) -> None:
        self.came.append(time.monotonic())
        request = json.loads(socket.recv())
        socket.send(json.dumps({"t": "snap", "id": request["id"], "items": []}))
        if len(self.came) > PAGES:
            socket.recv()  # nothing comes but the end
            return
        digest = f"{protocol.fingerprint('stock:1', 1):08x}"
        beat = {"t": "hb", "digest": digest, "spread_ms": SPREAD_MS}
        socket.send(json.dumps(beat))
        self._lost.wait(LOST_S)
        socket.socket.shutdown(SHUT_RDWR)


def test_pages_of_a_server_that_dies_come_back_over_the_time_it_told(visit, outage):
    source = (ROOT / "static" / "js" / "live.js").read_text()
    page = visit("/", bypass_csp=True)
    with Dying() as server:
        page.evaluate(RETURNS, [source, server.url, PAGES])
        wait_until(lambda: len(server.came) == 2 * PAGES, "their return", LOST_S)

        first, last = server.came[PAGES], server.came[-1]

    assert last - first > SPREAD_MS / 2000


LIMITS = """async ([source, cases]) => {
    const blob = new Blob([source], { type: "text/javascript" });
    const { Live } = await import(URL.createObjectURL(blob));
    return cases.map(([failures, spread_s]) => {
        const live = new Live("", () => new Map(), () => {}, () => {}, () => false);
        const spreadMs = spread_s === null ? null : 1000 * spread_s;
        return Object.assign(live, { failures, spreadMs }).longestWait() / 1000;
    });
}"""


def test_page_waits_as_long_as_a_socket_of_the_load_test(visit):
    source = (ROOT / "static" / "js" / "live.js").read_text()
    cases = [(n, spread_s) for n in range(12) for spread_s in (None, 0, 1, 40, 120)]

    limits = visit("/", bypass_csp=True).evaluate(LIMITS, [source, cases])

    assert limits == [longest_wait(*case) for case in cases]


# --- Refused for good -------------------------------------------------------------


AT_ANOTHER_ADDRESS = """
window.WebSocket = class extends WebSocket {
  constructor(url, protocol) { super(url.replace("/ws/", "/nowhere/"), protocol); }
};
"""
MINUTE_MS = 60_000
TOO_MANY = [
    {"name": f"c{n}", "value": "x" * 4000, "domain": "localhost", "path": "/ws/"}
    for n in range(5)
]


COUNT_PENDING = """
window.pending = 0;
window.WebSocket = class extends WebSocket {
  constructor(...options) {
    super(...options);
    window.pending += 1;
    this.addEventListener("close", () => { window.pending -= 1; });
  }
};
const fetchNow = window.fetch.bind(window);
window.fetch = (...options) => {
  window.pending += 1;
  return fetchNow(...options).finally(() => { window.pending -= 1; });
};
"""


class Knocks:
    """Counts the handshakes of a page whose clock the test puts forward."""

    def __init__(self, script: str = "", cookies: Sequence[dict] = ()) -> None:
        self.count, self._script, self._cookies = 0, script, cookies

    def watch(self, page: Page) -> None:
        page.on("websocket", self._note)
        page.clock.install()
        page.add_init_script(COUNT_PENDING + self._script)
        page.context.add_cookies(self._cookies)

    def _note(self, socket) -> None:
        self.count += 1

    def during(self, page: Page, script: str, times: int) -> int:
        """How many there are while it is run so often."""
        before = self.count
        for _ in range(times):
            page.evaluate(script)
            page.wait_for_timeout(100)
        return self.count - before

    def in_minutes(self, page: Page, minutes: int) -> int:
        """How many there are while the page's clock goes on. The clock waits for each
        handshake, and for the request that asks why it failed: a busy machine would
        answer them after the page's time is up."""
        before = self.count
        for _ in range(4 * minutes):
            page.clock.fast_forward(MINUTE_MS // 4)
            while page.evaluate("window.pending"):
                page.wait_for_timeout(20)
        return self.count - before


def test_too_many_cookies_for_sockets_are_told_and_tried_rarely(visit, lamp, outage):
    """Pages get fewer: here by the cookies' path, elsewhere by HTTP/2, which sends each
    cookie by itself."""
    knocks = Knocks(cookies=TOO_MANY)
    page = visit("/products/", live=False, prepare=knocks.watch)
    mark(page)

    expect(notice(page)).to_contain_text("too many cookies", timeout=BACK_S * 1000)
    assert 1 <= knocks.in_minutes(page, 10) <= 8
    look = "document.dispatchEvent(new Event('visibilitychange'))"
    assert knocks.during(page, look, times=20) <= 1
    page.context.clear_cookies(path="/ws/")
    stocks.count(lamp.pk, 12)
    page.clock.fast_forward(5 * MINUTE_MS)

    expect_stock(page, lamp, 12)


def test_sockets_that_are_blocked_for_good_are_said_to_be_off(visit, lamp, outage):
    knocks = Knocks(AT_ANOTHER_ADDRESS)
    page = visit("/products/", live=False, prepare=knocks.watch)

    expect(notice(page)).to_contain_text("Live updates are off", timeout=BACK_S * 1000)
    assert 1 <= knocks.in_minutes(page, 10) <= 8
    buy(page, lamp).click()
    expect(messages(page)).to_contain_text("Lamp is in your basket.")


def test_sockets_that_a_full_shop_refuses_come_back_when_it_says(visit, lamp, outage):
    def is_full(route: Route) -> None:
        sockets.append(route)
        route.fulfill(status=503, headers={"Retry-After": "30"}, body="{}")

    sockets, knocks = [], Knocks(AT_ANOTHER_ADDRESS)

    def prepare(page: Page) -> None:
        page.route("**/ws/", is_full)
        knocks.watch(page)

    page = visit("/products/", live=False, prepare=prepare)
    expect(notice(page)).to_contain_text("paused", timeout=BACK_S * 1000)
    while not sockets:
        page.wait_for_timeout(50)

    before = knocks.count
    page.clock.fast_forward(20_000)
    page.wait_for_timeout(300)
    assert knocks.count == before
    page.clock.fast_forward(MINUTE_MS)
    while knocks.count == before:
        page.wait_for_timeout(50)
    expect(notice(page)).to_contain_text("paused")
