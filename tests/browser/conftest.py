"""A real browser before the shop as people run it: Daphne, Redis, hashed files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from playwright.sync_api import Browser, BrowserContext, Page, expect

from products.models import Variant
from tests.browser.chromium import launched, launched_whole
from tests.browser.pages import bring_basket, wait_until_live
from tests.support.layers import publishing_at
from tests.support.servers import Daphne, Redis

ACTION_S = 20  # a click and the page behind it, on a machine with much else to do
PUSHED_S = 4  # for what is pushed; nothing else could bring it: see `daphne`

Visit = Callable[..., Page]


# --- Servers, once a session ------------------------------------------------------


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="session")
def redis_server(folder) -> Iterator[Redis]:
    server = Redis(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def make_daphne(django_db_setup, folder, redis_server, static):
    """A shop with settings of its own, on the test's database."""
    started = []

    def make(kind: type[Daphne] = Daphne, **environment: str) -> Daphne:
        home = folder / f"daphne{len(started)}"
        home.mkdir()
        server = kind(
            home,
            redis_server.url,
            **static,
            MEDIA_ROOT=str(folder / "media"),
            SERVE_MEDIA="1",
            **environment,
        )
        started.append(server)
        server.start()
        return server

    yield make
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def the_daphne(make_daphne) -> Daphne:
    """Nothing but pushes: audit and heartbeat would put right what they lose."""
    return make_daphne(LIVE_AUDIT_S="600", LIVE_HEARTBEAT_S="20", LIVE_PROBE_S="0.5")


@pytest.fixture
def daphne(the_daphne, redis_server) -> Daphne:
    """The shop, running whatever the tests before have done to it."""
    if not redis_server.is_ready():
        redis_server.start()
    if not the_daphne.is_ready():
        the_daphne.start()
    forget_limits(redis_server)
    return the_daphne


def forget_limits(server: Redis) -> None:
    """Everybody here signs in from one address, more often than one may."""
    with redis.Redis.from_url(server.url) as client:
        if counted := client.keys("shop:*allauth*"):
            client.delete(*counted)


@pytest.fixture(scope="session")
def beating_daphne(make_daphne) -> Daphne:
    """A shop whose heart beats every second."""
    return make_daphne(LIVE_HEARTBEAT_S="1")


# --- The browser, once for this folder --------------------------------------------


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of this folder that the process runs.

    Playwright keeps an event loop running in this thread, which Django must not mind.
    Async tests need a thread without a loop, so the fixture ends with the folder. Only
    a folder with an `__init__.py` is a package to pytest.
    """
    with launched() as chromium, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        expect.set_options(timeout=PUSHED_S * 1000)
        yield chromium


@pytest.fixture
def keeping_browser(browser) -> Iterator[Browser]:
    """One with the back/forward cache, which Playwright switches off and the quick one
    does not have."""
    usual = ["--disable-back-forward-cache"]
    with launched_whole(browser.browser_type, ignore_default_args=usual) as chromium:
        yield chromium


@pytest.fixture(scope="module", autouse=True)
def _pushes_go_to_our_redis(redis_server) -> Iterator[None]:
    """What this process changes is pushed through the Redis that Daphne hears."""
    with publishing_at(redis_server.url):
        yield


# --- Each test --------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _copies_are_those_of_the_shop(shop, settings, redis_server) -> None:
    """What this process drops from the cache, the ended session's copy above all, is
    dropped from the one that Daphne has."""
    default = settings.CACHES["default"]
    default = default | {"LOCATION": redis_server.url, "KEY_PREFIX": "shop"}
    settings.CACHES = settings.CACHES | {"default": default}


@pytest.fixture(autouse=True)
def _rows_and_pictures_are_the_shops(transactional_db, settings, folder) -> None:
    """Daphne sees what tests write."""
    settings.MEDIA_ROOT = folder / "media"


class Complaints(list[str]):
    """What browsers complained about. A test that gives them reason to forgives them:
    what they say of it may come late."""

    is_open = True

    def append(self, text: str) -> None:
        if self.is_open:
            super().append(text)

    def forgive(self) -> None:
        self.clear()
        self.is_open = False


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def visit(browser, transactional_db, daphne, complaints) -> Iterator[Visit]:
    """`visit(path)`: a new visitor, with cookies of their own, opens a page.

    `basket` (product → units) is what they chose before; `live=False` is for a page
    that does not get its socket; `prepare(page)` is called before it loads; `options`
    are those of Playwright's `new_context`. The test fails if a page has an error on
    its console or a request that fails.
    """
    contexts = []

    def open_page(
        path: str = "/",
        *,
        at: Daphne = daphne,
        live: bool = True,
        basket: dict[Variant, int] | None = None,
        prepare: Callable[[Page], None] = lambda page: None,
        **options,
    ) -> Page:
        options.setdefault("reduced_motion", "reduce")
        context = browser.new_context(base_url=at.url, **options)
        contexts.append(context)
        listen(context, complaints)
        if basket:
            bring_basket(context, at.url, basket)
        page = context.new_page()
        page.set_default_timeout(ACTION_S * 1000)
        prepare(page)
        page.goto(path)
        if live and options.get("java_script_enabled", True):
            wait_until_live(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def listen(context: BrowserContext, complaints: list[str]) -> None:
    """Note every error on a console and every request that failed."""

    def on_console(message) -> None:
        # A page that is left closes a socket that may not be open yet.
        is_left = message.text.endswith("closed before the connection is established.")
        if message.type in ("error", "warning") and not is_left:
            complaints.append(f"{message.page.url}: {message.text}")

    def on_failure(request) -> None:
        # A page that is left breaks off what it was still asking for.
        is_left = request.failure == "net::ERR_ABORTED"
        # So are modules preloaded where scripts are off. (What the policy forbids where
        # they are on is said on the console too.)
        is_off = request.failure == "csp" and request.url.endswith(".js")
        if not is_left and not is_off:
            complaints.append(f"{request.url}: {request.failure}")

    def on_response(response) -> None:
        if response.status >= 500:
            complaints.append(f"{response.url}: {response.status}")

    context.on("console", on_console)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("requestfailed", on_failure)
    context.on("response", on_response)
