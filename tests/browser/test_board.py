"""The staff's board in real browsers: what one does, the others see."""

import re
import zlib
from collections.abc import Callable
from itertools import count
from urllib.request import Request as Question
from urllib.request import urlopen

import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from playwright.sync_api import (
    Locator,
    Page,
    Request,
    Route,
    WebSocketRoute,
    expect,
)

from products.live.registry import registry
from products.models import Order, OrderEvent, Stock
from products.orders import services as orders
from products.staff import moves
from products.staff.export import CHUNK
from products.stock import services as stocks
from tests.browser.looks import expect_good_in_all_looks
from tests.browser.pages import (
    bring_session,
    expect_no_reload,
    mark,
    messages,
    notice,
    wait_until_live,
)
from tests.products.staff.test_board import make_orders
from tests.support.factories import make_order, make_user, make_variant
from users.models import User

BOARD = "/staff/orders/"

# Counts the notes that are played, instead of the ears that nobody has here.
COUNT_NOTES = """
    window.notes = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) {
        window.notes += 1;
        return start.apply(this, when);
    };
"""
# A tab that is behind another one, until window.isAway is false.
LOOK_AWAY = """
    window.isAway = true;
    Object.defineProperty(document, "hidden", { get: () => window.isAway });
"""

VisitAs = Callable[..., Page]


def make_clerk(username: str) -> User:
    codenames = ["view_order", "change_order", "view_stock"]
    user = make_user(username=username, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


_floors = count(200, 200)


@pytest.fixture(autouse=True)
def versions_that_rise(transactional_db) -> None:
    """Rows are gone after each test, but the server remembers the versions that it has
    told: what staff watch is numbered from where no test before has been."""
    floor = next(_floors)
    Stock.objects.filter(pk=make_variant(on_hand=0, is_active=False).pk).update(
        version=floor
    )
    address = {"full_name": "A", "line1": "B", "postcode": "1", "city": "C"}
    past = Order.objects.create(
        status="delivered",
        method="delivery",
        goods=0,
        total=0,
        country="DE",
        **address,
    )
    with connection.cursor() as cursor:  # as if so many events had been and gone
        cursor.execute(
            "SELECT setval(keys, nextval(keys) + %s) FROM CAST("
            "pg_get_serial_sequence('products_orderevent', 'id') AS regclass) keys",
            [moves.LATE_EVENTS],
        )
    OrderEvent.objects.create(order=past, version=0, status="delivered")


@pytest.fixture
def staff(visit, daphne) -> VisitAs:
    """`staff(username, path)`: a browser of a member of staff."""

    def open_page(username: str = "ann", path: str = BOARD, **options) -> Page:
        user = User.objects.filter(username=username).first() or make_clerk(username)
        page = visit("/robots.txt", live=False, **options)
        bring_session(page.context, daphne.url, user)
        page.goto(path)
        if options.get("java_script_enabled", True):
            wait_until_live(page)
        return page

    return open_page


class Line:
    """Between a page's socket and the server: what comes while it is cut is lost."""

    def __init__(self) -> None:
        self.is_cut = False

    def carry(self, page: Page) -> None:
        page.route_web_socket("**/ws/", self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda text: self.is_cut or socket.send(text))


def card(page: Page, order: Order) -> Locator:
    return page.locator(f'.order[data-key="{order.number}"]')


def column(page: Page, key: str) -> Locator:
    return page.locator(f'[data-column="{key}"]')


def press(page: Page, order: Order, name: str) -> None:
    card(page, order).get_by_role("button", name=name, exact=False).first.click()


# --- Live ---------------------------------------------------------------------------


def test_new_order_slides_in_on_every_board(staff):
    pages = [staff("ann"), staff("bob")]
    for page in pages:
        mark(page)

    order = make_order({make_variant(name="Blue bowl"): 2})

    for page in pages:
        here = card(column(page, "paid"), order)
        expect(here).to_contain_text("2 × Blue bowl")
        expect(here).to_have_class(re.compile("is-new"))
        expect(column(page, "paid").locator(".column__count")).to_have_text("1")
        expect(page.locator(".count")).to_contain_text("1")
        expect(page.locator("#news")).to_have_text(f"New order: {order.number}")
        expect_no_reload(page)


def test_step_of_one_moves_the_card_on_the_others_board(staff):
    order = make_order()
    ann, bob = staff("ann"), staff("bob")
    mark(bob)

    press(ann, order, "Pack")

    for page in (ann, bob):
        expect(card(column(page, "packed"), order)).to_contain_text("ann")
        expect(card(column(page, "paid"), order)).to_have_count(0)
    expect(messages(ann)).to_contain_text(f"{order.number} is packed.")
    expect_no_reload(bob)


def test_two_press_the_same_button_and_the_second_hears_who_was_first(staff, forgiving):
    order = make_order()
    line = Line()  # bob's page is not told
    ann, bob = staff("ann"), staff("bob", prepare=line.carry)
    line.is_cut = True
    form = bob.locator(f'[data-key="{order.number}"] [data-move="pack"]')
    # Bob's finger is on the button while Ann's order goes out.
    bob.evaluate("window.heldBack = document.querySelector('[data-move=pack]')")
    bob.route("**/*fragment=1*", lambda route: route.abort())
    expect(form).to_have_count(1)

    press(ann, order, "Pack")
    expect(card(column(ann, "packed"), order)).to_be_visible()
    bob.evaluate("window.heldBack.requestSubmit()")

    expect(messages(bob)).to_contain_text("is already “packed” (ann)")
    order.refresh_from_db()
    assert (order.version, order.handler.username) == (2, "ann")


def test_two_who_pack_a_pushed_card_at_once_have_one_winner_on_both_boards(
    staff, forgiving
):
    pages = {name: staff(name) for name in ("ann", "bob")}
    order = make_order()
    held: list[Route] = []
    for page in pages.values():
        page.route("**/pack/", lambda route: held.append(route))
        press(page, order, "Pack")
    while len(held) < 2:
        page.wait_for_timeout(20)
    for route in held:  # now both are on their way
        route.continue_()

    for page in pages.values():
        expect(messages(page)).to_contain_text(order.number)
    order.refresh_from_db()
    winner = order.handler.username
    (loser,) = {"ann", "bob"} - {winner}
    expect(messages(pages[winner])).to_contain_text(f"{order.number} is packed.")
    expect(messages(pages[loser])).to_contain_text(f"is already “packed” ({winner})")
    for page in pages.values():
        expect(card(column(page, "packed"), order)).to_contain_text(winner)
        expect(card(page, order)).to_have_count(1)
    assert (order.version, order.events.filter(status="packed").count()) == (2, 1)


@pytest.fixture
def forgiving(complaints):
    """For what is broken on purpose, browsers complain."""
    complaints.forgive()


def test_conflict_without_a_script_is_a_message_too(staff):
    order = make_order()
    bob = staff("bob", java_script_enabled=False)
    orders.pack(order, actor=make_clerk("ann"))

    press(bob, order, "Pack")

    expect(messages(bob)).to_contain_text("is already “packed” (ann)")
    expect(card(column(bob, "packed"), order)).to_be_visible()


def test_what_happened_while_the_line_was_down_is_there_on_return_once(
    staff, daphne, forgiving
):
    page = staff(prepare=lambda page: page.add_init_script(COUNT_NOTES))
    page.locator("[data-sound]").click()
    before = page.evaluate("window.notes")
    mark(page)
    daphne.stop()
    expect(notice(page)).to_be_visible(timeout=10_000)

    made = [make_order() for _ in range(3)]
    orders.cancel(made[0], note="not wanted")
    daphne.start()

    expect(card(page, made[2])).to_be_visible(timeout=20_000)
    expect(page.locator(".order")).to_have_count(2)
    expect(notice(page)).to_be_hidden()
    assert page.evaluate("window.notes") == before + 2  # one call of two notes
    expect_no_reload(page)


def test_what_happened_while_redis_was_away_is_on_the_board_once(
    staff, redis_server, forgiving
):
    """The database is polled meanwhile, and compared once Redis is back."""
    mine, packed = make_order(), make_order()
    bob = make_clerk("bob")

    def prepare(page: Page) -> None:
        page.add_init_script(COUNT_NOTES)
        page.add_init_script(LOOK_AWAY)

    page = staff(prepare=prepare)
    page.locator("[data-sound]").click()
    before, title = page.evaluate("window.notes"), page.title()
    button = card(page, mine).get_by_role("button", name="Pack")
    button.focus()
    mark(page)

    def told(notes: int, news: int) -> None:
        """The sound was played so often, and the title counts so many."""
        expect(page).to_have_title(f"({news}) {title}")
        assert page.evaluate("window.notes") == before + 2 * notes

    redis_server.stop()
    with transaction.atomic():  # so that all is told at one moment
        made = [make_order() for _ in range(3)]
        orders.cancel(made.pop(), note="not wanted")
        orders.pack(packed, actor=bob)
    expect(card(page, made[-1])).to_be_visible(timeout=20_000)
    told(notes=1, news=2)
    redis_server.start()
    made.append(make_order())
    expect(card(page, made[-1])).to_be_visible(timeout=20_000)
    orders.ship(packed, actor=bob)
    expect(card(column(page, "shipped"), packed)).to_be_visible(timeout=20_000)

    told(notes=2, news=3)
    shown = [one.get_attribute("data-key") for one in page.locator(".order").all()]
    assert sorted(shown) == sorted(o.number for o in [mine, packed, *made])
    expect(column(page, "paid").locator(".column__count")).to_have_text("4")
    expect(button).to_be_focused()
    expect(notice(page)).to_be_hidden()
    expect_no_reload(page)


def test_shelf_that_runs_low_is_told_with_a_link_to_its_stock(staff):
    lamp = make_variant(name="Storm lamp", on_hand=50)
    page = staff()
    expect(page.locator(".shelves")).to_contain_text("No products are low or sold out")

    stocks.claim({lamp.pk: 48})

    link = page.locator(".shelves").get_by_role("link", name="Storm lamp 2")
    expect(link).to_have_attribute("href", f"/admin/products/stock/{lamp.pk}/change/")


def test_reason_that_is_being_typed_stays_while_others_work(staff):
    order, other = make_order(), make_order()
    page = staff()
    card(page, order).locator("summary").click()
    reason = card(page, order).locator("input[name=note]")
    reason.press_sequentially("It is bro")

    orders.pack(order, actor=make_clerk("bob"))
    orders.pack(other, actor=User.objects.get(username="bob"))
    expect(card(column(page, "packed"), other)).to_be_visible()
    reason.press_sequentially("ken")

    expect(reason).to_have_value("It is broken")
    expect(reason).to_be_focused()
    expect(card(page, order)).to_contain_text("This order has changed")
    card(page, order).locator("summary").click()  # given up: now it is as it is
    assert Order.objects.get(pk=order.pk).status == "packed"


def test_order_page_shows_what_colleagues_do_and_keeps_a_note_that_is_typed(staff):
    order = make_order()
    page = staff(path=f"{BOARD}{order.number}/")
    note = page.get_by_label("Note", exact=True)
    note.press_sequentially("Rings ")

    orders.pack(order, actor=make_clerk("bob"), note="two parcels")

    expect(page.locator(".state")).to_have_text("packed")
    expect(page.locator(".steps-done")).to_contain_text("two parcels")
    note.press_sequentially("twice")
    page.get_by_role("button", name="Add note").click()
    expect(page.locator(".steps-done")).to_contain_text("Rings twice")
    expect(note).to_have_value("")


# --- Pushed, not fetched --------------------------------------------------------------


# A page fetches a change that is not pushed within PUSH_MS of board.js. A busy machine
# may take longer, so here it waits a minute.
PATIENT = """const usual = window.setTimeout;
window.setTimeout = (run, ms, ...rest) => usual(run, ms === 2000 ? 60000 : ms, ...rest);
"""


class Fetches:
    """Counts how often pages ask for the board's inner part."""

    def __init__(self) -> None:
        self.count = 0

    def watch(self, page: Page) -> None:
        page.add_init_script(PATIENT)
        page.on("request", self._note)

    def _note(self, request: Request) -> None:
        self.count += "fragment=1" in request.url


def test_changes_are_taken_from_what_is_pushed_and_cards_keep_working(staff):
    old = make_order()
    fetches = Fetches()
    ann, bob = (staff(name, prepare=fetches.watch) for name in ("ann", "bob"))

    order = make_order()
    press(ann, order, "Pack")  # a card that was pushed, so without a token of its own
    expect(card(column(bob, "packed"), order)).to_contain_text("ann")
    press(bob, order, "Ship")
    expect(card(column(ann, "shipped"), order)).to_contain_text("bob")
    card(ann, old).locator("summary").click()
    card(ann, old).get_by_label("Reason").fill("Broken")
    card(ann, old).get_by_role("button", name="Cancel the order").click()

    for page in (ann, bob):
        expect(card(page, old)).to_have_count(0)
        for key, number in {"paid": "0", "packed": "0", "shipped": "1"}.items():
            expect(column(page, key).locator(".column__count")).to_have_text(number)
        expect(column(page, "paid")).to_contain_text("Everything is packed.")
    assert fetches.count == 0


def test_focus_stays_on_a_button_whose_card_is_pushed_anew(staff):
    order = make_order()
    page = staff()
    button = card(page, order).get_by_role("button", name="Pack")
    button.focus()

    orders.note(order, actor=make_clerk("bob"), note="Rings twice")

    expect(card(page, order)).to_have_attribute("data-version", "2")
    expect(button).to_be_focused()


@pytest.mark.parametrize(
    "query, is_shown",
    [
        ("", True),
        ("method=delivery", True),
        ("method=stripe", False),
        ("mine=on", False),
        ("status=paid", True),
        ("status=packed", False),
        ("q={number}", True),
        ("q=ANN@", True),
        ("q=zoe@", False),
        ("sort=oldest", True),
    ],
)
def test_filter_of_a_board_holds_for_what_is_pushed(staff, query, is_shown):
    first = make_order()
    fetches = Fetches()
    query = query.format(number=first.number[:2])
    page = staff(path=f"{BOARD}?{query}", prepare=fetches.watch)

    with transaction.atomic():  # it is pushed with a number that the search finds
        order = make_order()
        Order.objects.filter(pk=order.pk).update(number=f"{first.number[:2]}ZZZZZZ")
    order.refresh_from_db()

    version = registry.versions(["orders:"])["orders:"]
    expect(page.locator("#board")).to_have_attribute("data-version", str(version))
    if is_shown:
        expect(card(page, order)).to_be_visible()
        numbers = [order.number, first.number]
        numbers = numbers[::-1] if "oldest" in query else numbers
        cards = column(page, "paid").locator(".order").all()
        assert [one.get_attribute("data-key") for one in cards] == numbers
        expect(column(page, "paid").locator(".column__count")).to_have_text("2")
    else:
        expect(card(page, order)).to_have_count(0)
    assert fetches.count == 0


def test_my_board_takes_in_what_becomes_mine_and_counts_it(staff):
    order = make_order()
    page = staff("ann", path=f"{BOARD}?mine=on")

    orders.pack(order, actor=User.objects.get(username="ann"))
    expect(card(column(page, "packed"), order)).to_be_visible()
    expect(column(page, "packed").locator(".column__count")).to_have_text("1")
    orders.ship(order, actor=make_clerk("bob"))

    expect(card(page, order)).to_have_count(0)
    expect(column(page, "packed").locator(".column__count")).to_have_text("0")


def test_long_column_counts_what_it_does_not_show_and_fills_up(staff):
    made = make_orders(50)
    fetches = Fetches()
    page = staff(prepare=fetches.watch)
    paid = column(page, "paid")
    expect(paid.locator(".column__more")).to_have_text("10 more")

    newest = make_order()
    expect(card(paid, newest)).to_be_visible()
    expect(paid.locator(".column__count")).to_have_text("51")
    expect(paid.locator(".order")).to_have_count(40)
    expect(paid.locator(".column__more")).to_have_text("11 more")
    assert fetches.count == 0

    clerk = make_clerk("bob")
    for order in made[-25:]:
        orders.pack(order, actor=clerk)
    expect(column(page, "packed").locator(".order")).to_have_count(25)
    expect(paid.locator(".column__count")).to_have_text("26")
    expect(paid.locator(".order")).to_have_count(26, timeout=20_000)
    expect(paid.locator(".column__more")).to_be_hidden()


def test_cards_that_take_the_places_of_who_left_are_pushed(staff):
    made = make_orders(43)[::-1]
    fetches, clerk = Fetches(), make_clerk("bob")
    page = staff(prepare=fetches.watch)
    paid = column(page, "paid")
    expect(card(paid, made[39])).to_be_visible()

    for gone, order in enumerate([made[0], made[20], made[39], made[41]], start=1):
        orders.pack(order, actor=clerk)
        expect(card(column(page, "packed"), order)).to_be_visible()
        expect(paid.locator(".column__count")).to_have_text(str(43 - gone))

    left = [order for n, order in enumerate(made) if n not in (0, 20, 39, 41)]
    keys = [one.get_attribute("data-key") for one in paid.locator(".order").all()]
    assert keys == [order.number for order in left]
    assert len(keys) == 39 and fetches.count == 0
    expect(page.locator("#news")).to_have_text("")
    press(page, left[-1], "Pack")  # a card that was pushed
    expect(card(column(page, "packed"), left[-1])).to_be_visible()


def test_board_that_missed_more_than_is_pushed_fetches_itself_once(staff):
    line, fetches = Line(), Fetches()

    def prepare(page: Page) -> None:
        line.carry(page)
        fetches.watch(page)

    page = staff(prepare=prepare)
    line.is_cut = True
    made = [make_order() for _ in range(moves.ENOUGH_CARDS + 3)]
    other = staff("bob")
    expect(other.locator(".order")).to_have_count(len(made))
    line.is_cut = False

    last = make_order()

    expect(card(page, last)).to_be_visible()
    expect(page.locator(".order")).to_have_count(len(made) + 1)
    expect(page.locator("#news")).to_contain_text(last.number)
    assert fetches.count == 1


def test_who_may_only_look_is_pushed_cards_without_buttons(staff):
    user = make_user(username="eve", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_order"))
    page = staff("eve")

    order = make_order()

    expect(card(page, order)).to_be_visible()
    expect(page.locator("[data-move]")).to_have_count(0)


def test_order_page_fetches_itself_for_its_own_order_alone(staff):
    mine, other = make_order(), make_order()
    fetches = Fetches()
    page = staff(path=f"{BOARD}{mine.number}/", prepare=fetches.watch)

    orders.pack(other, actor=make_clerk("bob"))
    version = registry.versions(["orders:"])["orders:"]
    expect(page.locator("#board")).to_have_attribute("data-version", str(version))
    assert fetches.count == 0
    orders.pack(mine, actor=User.objects.get(username="bob"))

    expect(page.locator(".state")).to_have_text("packed")
    assert fetches.count == 1


# --- Sound and title ----------------------------------------------------------------


def test_sound_is_off_until_switched_on_and_remembered(staff):
    page = staff(prepare=lambda page: page.add_init_script(COUNT_NOTES))
    bell = page.locator("[data-sound]")
    page.locator("h1").click()
    expect(card(page, make_order())).to_be_visible()
    assert page.evaluate("window.notes") == 0

    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    expect(card(page, make_order())).to_be_visible()
    assert page.evaluate("window.notes") == 4  # when switched on, and when it came

    page.reload()
    wait_until_live(page)
    expect(bell).to_have_attribute("aria-pressed", "true")
    bell.click()
    expect(card(page, make_order())).to_be_visible()
    expect(bell).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("window.notes") == 0


def test_title_counts_new_orders_until_they_are_looked_at(staff):
    page = staff(prepare=lambda page: page.add_init_script(LOOK_AWAY))
    title = page.title()
    orders.pack(make_order(), actor=make_clerk("bob"))
    make_order()
    expect(page).to_have_title(f"(2) {title}")

    page.evaluate("""() => {
        window.isAway = false;
        document.dispatchEvent(new Event("visibilitychange"));
    }""")

    expect(page).to_have_title(title)


# --- Keys ---------------------------------------------------------------------------


def test_order_is_packed_and_shipped_by_keys(staff):
    first, second = make_order(), make_order()  # the second stands above
    page = staff()

    page.keyboard.press("j")
    expect(card(page, second).locator(".order__number")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("p")

    expect(card(column(page, "packed"), second)).to_be_visible()
    expect(card(page, first).locator(".order__number")).to_be_focused()  # the next
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(card(column(page, "shipped"), second)).to_be_visible()
    expect(card(column(page, "paid"), first)).to_be_visible()


def test_keys_rest_while_one_types_and_are_listed_on_the_page(staff):
    order = make_order()
    page = staff()
    page.keyboard.press("j")
    page.keyboard.press("/")
    search = page.locator("[data-search]")
    expect(search).to_be_focused()
    page.keyboard.type("ps?jk")
    expect(search).to_have_value("ps?jk")
    expect(page.locator("#keys")).to_be_hidden()

    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("p")
    page.keyboard.press("Escape")

    expect(page.locator("#keys")).to_be_hidden()
    order.refresh_from_db()
    assert order.status == "pending"


# --- Looks --------------------------------------------------------------------------


def test_staff_pages_are_good_in_all_looks(staff):
    for _ in range(3):
        make_order({make_variant(on_hand=3): 1})
    order = make_order({make_variant(name=f"Bowl {n}"): 1 for n in range(5)})
    page = staff("Bartholomew-the-very-long")
    orders.pack(order, actor=User.objects.get(), note="x" * 200)
    for path in (BOARD, f"{BOARD}?q={order.number}", f"{BOARD}{order.number}/"):
        page.goto(path)
        expect_good_in_all_looks(page)
    page.goto(f"{BOARD}{order.number}/slip/")
    expect_good_in_all_looks(page)


def test_open_forms_and_help_are_good_in_all_looks(staff):
    make_order()
    page = staff()
    page.locator("details.reason summary").click()
    page.locator("details.drop summary").click()
    expect_good_in_all_looks(page)
    page.locator("details.drop summary").click()
    page.keyboard.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect_good_in_all_looks(page)


# --- The export ---------------------------------------------------------------------


def fetch(page: Page, address: str, accept: str) -> bytes:
    """What a client without a browser reads: of gzip the first member, as most do."""
    cookies = "; ".join(f"{c['name']}={c['value']}" for c in page.context.cookies())
    request = Question(address, headers={"Cookie": cookies, "Accept-Encoding": accept})
    with urlopen(request) as response:
        content = response.read()
        encoding = response.headers.get("Content-Encoding", "identity")
    assert encoding == accept
    if accept == "identity":
        return content
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content)


@pytest.mark.parametrize("with_script", [True, False])
def test_export_is_whole_in_a_browser_and_in_other_clients(staff, with_script):
    orders_ = make_orders(CHUNK + 20)
    page = staff("ann", java_script_enabled=with_script)
    page.locator("summary", has_text="Export").click()
    page.get_by_label("Rows").select_option("lines")

    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click()
    saved = started.value.path().read_bytes()

    head, *rows = saved.decode().splitlines()
    assert head.startswith("number,placed,")
    assert [row.split(",")[0] for row in rows] == [order.number for order in orders_]
    address = started.value.url
    for accept in ("gzip", "identity"):
        assert fetch(page, address, accept) == saved
