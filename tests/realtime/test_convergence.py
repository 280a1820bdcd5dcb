"""Messages may be lost, doubled, reordered or late: in the end, every page shows what
the database holds.

The shop changes stock, prices and a basket; its events travel through Redis to the
real hub, but `Post` stands before the hub's ear and delivers them as it likes. Pages
(the twin of the page's script) load, sleep, wake with old versions and get late answers
to their posts. Two controls take a rule about versions out and must find it missed.
"""

from collections.abc import Iterator
from itertools import count

import pytest
from channels.layers import get_channel_layer
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure, FlakyStrategyDefinition
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from products.basket import services as basket
from products.basket.exceptions import NotInBasket
from products.catalogue import services as catalogue
from products.exceptions import ShopError
from products.live.registry import registry
from products.live.viewers import Owner
from products.stock import services as stock
from realtime.hub.checks import Audit
from realtime.hub.hub import Hub
from realtime.hub.listener import Listener
from realtime.hub.topics import Topic
from realtime.publish import flush, group_of, publish
from realtime.registry import State
from tests.support.factories import make_user, make_variant
from tests.support.page import Page
from tests.support.servers import wait_until
from tests.support.sockets import Socket, session_of

SETTLED_S = 2
PACE_MS = 30  # of a page that nobody sees
IN_VAIN_S = 1  # for the controls, which wait for what does not come
ATTEMPTS = 10  # to find an example
ANY = st.integers(0, 1000)  # picks one of what there is, modulo its number
PRODUCTS = st.integers(0, 1)
UNITS = st.integers(1, 6)


class Post:
    """Stands between Redis and the hub. It keeps every event until `deliver`."""

    def __init__(self, loop, hub: Hub) -> None:
        self.loop, self.hub = loop, hub
        self.events: list[dict] = []
        self._marks = count(1)
        self._seen = 0
        self._hear = hub.listener.hear
        loop.call(setattr, hub.listener, "hear", self._keep)
        wait_until(lambda: hub.groups.channel, "the subscription", 5)
        loop.run(get_channel_layer().group_add(group_of("mark"), hub.groups.channel))

    def _keep(self, event: dict) -> None:
        if event["topic"] == "mark":
            self._seen = event["version"]
        else:
            self.events.append(event)

    def collect(self) -> None:
        """Wait until all that was published has come this far."""
        mark = next(self._marks)
        publish("mark", version=mark)
        assert flush()
        wait_until(lambda: self._seen >= mark, "the mark", 5)

    def deliver(self, event: dict) -> None:
        self.loop.call(self._hear, event)


class Shop(RuleBasedStateMachine):
    """One example: two products, one shopper, some pages."""

    post: Post  # set by the fixture
    patience = SETTLED_S

    @initialize()
    def open(self) -> None:
        self.post.events.clear()
        self.variants = [make_variant(on_hand=10), make_variant(on_hand=3)]
        user = make_user()
        self.cookie, self.owner = session_of(user), Owner(user_id=user.pk)
        self.basket = basket.open_for(self.owner)
        keys = [f"stock:{variant.pk}" for variant in self.variants]
        keys += [f"{name}:{self.owner.key}" for name in ("basket", "basket:lines")]
        self.names = {key: registry.name_of(key) for key in keys}
        self.sockets: list[Socket] = []
        self.old_pages: list[dict[str, State]] = []
        self.answers: list[tuple[Page, list]] = []
        self.load_page()

    def database(self) -> dict[str, State]:
        return {self.names[key]: s for key, s in registry.load(self.names).items()}

    # --- The shop -------------------------------------------------------------

    @rule(which=PRODUCTS, units=UNITS)
    def sell(self, which: int, units: int) -> None:
        self.change(stock.claim, {self.variants[which].pk: units})

    @rule(which=PRODUCTS, units=UNITS)
    def restock(self, which: int, units: int) -> None:
        self.change(stock.receive, self.variants[which].pk, units)

    @rule(which=PRODUCTS, price=st.integers(1, 99), is_active=st.booleans())
    def change_offer(self, which: int, price: int, is_active: bool) -> None:
        variant = self.variants[which]
        variant.price, variant.is_active = price, is_active
        self.change(catalogue.save, variant.product, variants=[variant])

    @rule(which=PRODUCTS, units=UNITS)
    def add(self, which: int, units: int) -> None:
        self.change(basket.add, self.basket, self.variants[which].pk, units)

    @rule(which=PRODUCTS)
    def remove(self, which: int) -> None:
        self.change(basket.remove, self.basket, self.variants[which].pk)

    def change(self, verb, *arguments, **options) -> None:
        try:
            verb(*arguments, **options)
        except (ShopError, NotInBasket):
            return
        self.post.collect()

    # --- The post -------------------------------------------------------------

    @precondition(lambda self: self.post.events)
    @rule(which=ANY)
    def deliver(self, which: int) -> None:
        self.post.deliver(self.post.events.pop(which % len(self.post.events)))

    @precondition(lambda self: self.post.events)
    @rule(which=ANY)
    def double(self, which: int) -> None:
        self.post.deliver(self.post.events[which % len(self.post.events)])

    @precondition(lambda self: self.post.events)
    @rule(which=ANY)
    def lose(self, which: int) -> None:
        self.post.events.pop(which % len(self.post.events))

    @rule()
    def audit(self) -> None:
        self.post.loop.run(self.post.hub.audit.compare())

    # --- The pages ------------------------------------------------------------

    @precondition(lambda self: len(self.sockets) < 4)
    @rule()
    def load_page(self) -> None:
        states = self.database()
        self.old_pages.append(states)
        self.show(page_of(states))

    @precondition(lambda self: len(self.sockets) < 4)
    @rule(which=ANY)
    def go_back_to_an_old_page(self, which: int) -> None:
        self.show(page_of(self.old_pages[which % len(self.old_pages)]))

    @precondition(lambda self: self.sockets)
    @rule(which=ANY, pace=st.sampled_from([0, PACE_MS]))
    def hide_or_see_a_page(self, which: int, pace: int) -> None:
        socket = self.sockets[which % len(self.sockets)]
        socket.page.pace = pace
        socket.watch(is_new=False)

    def show(self, page: Page) -> None:
        self.sockets.append(Socket(self.post.loop, page, cookie=self.cookie))
        self.sockets[-1].watch()

    @precondition(lambda self: self.sockets)
    @rule(which=ANY, stays=st.booleans())
    def lose_a_socket(self, which: int, stays: bool) -> None:
        """The page opens another, or is closed."""
        socket = self.sockets.pop(which % len(self.sockets))
        socket.close()
        if stays:
            self.show(socket.page)

    @precondition(lambda self: self.sockets)
    @rule(which=ANY)
    def ask_over_http(self, which: int) -> None:
        """The answer tells the state as it is now; it may come much later."""
        page = self.sockets[which % len(self.sockets)].page
        for name, state in self.database().items():
            self.answers.append((page, [name, state.version, state.facts]))

    @precondition(lambda self: self.answers)
    @rule(which=ANY)
    def get_the_answer(self, which: int) -> None:
        page, item = self.answers.pop(which % len(self.answers))
        self.post.loop.call(page.take, item)

    # --- The dust settles -----------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "sockets"):
            return
        try:
            self.settle()
        finally:
            for socket in self.sockets:
                socket.close()

    def settle(self) -> None:
        self.audit()
        wait_until(self.is_right, "convergence", self.patience)
        # What is still on its way now comes, and there is no further audit.
        for event in self.post.events:
            self.post.deliver(event)
        for page, item in self.answers:
            self.post.loop.call(page.take, item)
        self.show(Page(dict.fromkeys(self.names.values(), -1)))
        wait_until(self.is_right, "convergence after what came late", self.patience)
        for socket in self.sockets:
            assert_versions_do_not_fall(socket)

    def is_right(self) -> bool:
        states = self.database()
        return all(
            socket.page.digest() == digest_of(states)
            and shown_by(socket.page) == comparable(states)
            for socket in self.sockets
        )


def page_of(states: dict[str, State]) -> Page:
    """A page as it is loaded."""
    page = Page({name: state.version for name, state in states.items()})
    page.facts = {name: state.facts for name, state in states.items()}
    return page


def shown_by(page: Page) -> dict:
    shown = page.shown.items()
    return comparable({name: State(v, page.facts.get(name)) for name, v in shown})


def comparable(states: dict[str, State]) -> dict:
    """Versions and facts, without the stock in a basket's lines: it is a topic of its
    own, which the page keeps right inside the line too."""
    return {name: (state.version, bare(state.facts)) for name, state in states.items()}


def bare(facts: dict | None) -> dict | None:
    if not facts or "lines" not in facts:
        return facts
    lines = [
        {name: value for name, value in line.items() if not name.startswith("stock")}
        for line in facts["lines"]
    ]
    return facts | {"lines": lines}


def digest_of(states: dict[str, State]) -> str:
    page = Page()
    page.known = {name: state.version for name, state in states.items()}
    return page.digest()


def assert_versions_do_not_fall(socket: Socket) -> None:
    """What the shop sends over one socket never goes back. (It may come twice: in a
    snapshot before the tick, and with it.)"""
    last: dict[str, int] = {}
    for frame in socket.frames:
        for name, version, *_ in frame.get("items", ()):
            assert version >= last.get(name, -1), (name, version, last[name])
            last[name] = version


# --- The tests --------------------------------------------------------------------


@pytest.fixture
def world(transactional_db, settings, loop) -> Iterator[type[Shop]]:
    """No tick to wait for, and no audit but those of the example."""
    often, never = 0.001, 3600
    settings.LIVE = settings.LIVE | {
        "TICK_MS": often * 1000,
        "AUDIT_S": never,
        "HEARTBEAT_S": never,
        "MAX_FRAMES": 10_000,
    }

    def begin() -> type[Shop]:
        from realtime.hub import get_hub

        Shop.post = Post(loop, loop.call(get_hub))
        return Shop

    yield begin


def explore(shop: type[Shop], examples: int, *phases: Phase) -> None:
    run_state_machine_as_test(
        shop,
        settings=hypothesis_settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            database=None,
            phases=phases or (Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )


def is_refuted(shop: type[Shop]) -> bool:
    """Whether there is an example that ends badly, if only at times: what comes first,
    a load or an event, differs from run to run."""

    class Hasty(shop):
        patience = IN_VAIN_S

    for _ in range(ATTEMPTS):
        try:
            explore(Hasty, 300, Phase.generate)
        except AssertionError:
            return True
        except FlakyFailure as found:
            return found.subgroup(AssertionError) is not None
        except FlakyStrategyDefinition:
            continue  # so early that the rules to choose from differed
        return False
    return False


def test_pages_converge_to_what_the_database_holds(world):
    explore(world(), 25)


def test_pages_that_apply_older_versions_do_not_converge(world, monkeypatch):
    """The control: without the page's rule, a late answer replaces a newer state."""
    monkeypatch.setattr(Page, "is_newer", lambda *arguments: True)

    assert is_refuted(world())


def test_hub_that_accepts_older_versions_does_not_converge(world, monkeypatch):
    """The control: without the hub's rule, a late event replaces a newer state."""

    def take(topic: Topic, state: State) -> bool:
        topic.state = state
        topic.items.clear()
        return True

    def hear(listener: Listener, event: dict) -> None:
        topic = listener._topics.by_key.get(event["topic"])
        if topic is not None and event["facts"] is not None:
            state = State(event["version"], event["facts"])
            listener._topics.accept(topic, state)
        elif topic is not None:
            listener._loader.reload([topic.key])

    monkeypatch.setattr(Topic, "take", take)
    monkeypatch.setattr(Listener, "hear", hear)

    assert is_refuted(world())


def test_shop_without_audit_does_not_converge(world, monkeypatch):
    """The control: without the audit, a lost event is never found."""

    async def compare(audit: Audit) -> None:
        return None

    monkeypatch.setattr(Audit, "compare", compare)

    assert is_refuted(world())
