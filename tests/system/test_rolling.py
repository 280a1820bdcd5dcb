"""Two processes behind a real nginx are restarted, one after the other.

ROLLING_SOCKETS=2000 takes as many sockets as the figures of decision 0024 were measured
with; it takes a minute.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from django.db import connection
from websockets.exceptions import InvalidStatus

from products.models import Stock
from products.stock import services as stock
from realtime.bodies import limit_of
from realtime.draining import RETURNS_A_SECOND
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.servers import Daphne, Shop, free_port, wait_until
from tests.support.shopper import Shopper
from tests.support.tls import make_certificate
from tests.system.balancer import FOLDER, LOCATIONS, UNDER_PATH, Nginx, program
from tests.system.crowd import Crowd

SOCKETS = int(os.environ.get("ROLLING_SOCKETS", "500"))
PRODUCTS = 5
RESTART = 1012
# Half as many again: arrivals are random, and a busy machine bunches them.
MOST_A_SECOND = RETURNS_A_SECOND * 1.5
LIMIT_S = 60
FORGED = {"X-Forwarded-For": "203.0.113.7"}
BEHIND = {
    "BEHIND_PROXY": "1",
    "LIVE_NOTICE_S": "1",
    "LIVE_SOCKETS_PER_ADDRESS": "1",  # those of this machine are not counted
}


class Site(NamedTuple):
    """An nginx and the two shops behind it."""

    nginx: Nginx
    shops: list[Shop]


@pytest.fixture(scope="module")
def shared_site(
    django_db_setup, shared_redis, static, tmp_path_factory
) -> Iterator[Site]:
    folder, port = tmp_path_factory.mktemp("site"), free_port()
    variables = static | BEHIND | {"DOMAIN_NAME": f"http://localhost:{port}"}
    shops = [Daphne(folder, shared_redis.url, **variables) for _ in range(2)]
    with contextlib.ExitStack() as stack:
        for process in (*shops, Nginx(folder, shops, port)):
            stack.callback(process.stop)
            process.launch()
        for process in (nginx := process, *shops):
            wait_until(process.is_ready, process.name, LIMIT_S)
        yield Site(nginx, shops)


@pytest.fixture
def site(transactional_db, redis, shared_site) -> Iterator[Site]:
    """Two shops that tests leave running. Their logs show no traceback afterwards."""
    marks = [shop.mark() for shop in shared_site.shops]
    yield shared_site
    for shop, since in zip(shared_site.shops, marks):
        assert "Traceback" not in shop.said(since), shop.said(since)[-4000:]


class Busy:
    """Does something again and again, on a thread of its own, until it is left."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work, self._is_over = work, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.done, self.failures = 0, []

    def __enter__(self) -> "Busy":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        with contextlib.closing(connection):
            while not self._is_over.wait(0.05):
                try:
                    self._work()
                except Exception as error:
                    self.failures.append(repr(error))
                self.done += 1


def shopping(nginx: Nginx, variant) -> Callable[[], None]:
    """Look at a page, and put something in the basket."""
    shopper = Shopper(nginx)

    def shop() -> None:
        shopper.get("/products/")
        shopper.add(variant)

    return shop


def versions(variants: list) -> dict[str, int]:
    """What every socket is to show."""
    rows = Stock.objects.filter(variant__in=variants)
    return {f"stock:{row.variant_id}": row.version for row in rows}


def restart(site: Site, shop: Shop, meanwhile: Callable[[], object]) -> None:
    """As systemd does: SIGTERM, wait for the end, start again. Who comes meanwhile gets
    in: nginx asks the other one."""
    shop.tell(signal.SIGTERM)
    wait_until(lambda: ask(f"{shop.url}/readyz") == 503, "the notice", LIMIT_S)
    for _ in range(4):
        with Client(site.nginx):
            pass
    assert shop.ended(LIMIT_S) == 0, shop.said()[-2000:]
    shop.stop()
    meanwhile()
    shop.start()


def ask(url: str | urllib.request.Request) -> int:
    """A page's status."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


def come_back(crowd: Crowd, nginx: Nginx) -> None:
    """Wait for all who were sent away."""
    crowd.wait(crowd.is_whole, "coming back")
    print(
        f"{len(crowd.codes)} of {SOCKETS} came back, the first and the last"
        f" {max(crowd.arrivals) - min(crowd.arrivals):.1f} s apart,"
        f" at most {crowd.peak():.0f} in a second"
    )
    assert crowd.ledger.refusals == Counter(), nginx.errors.read_text()[-2000:]


def test_rolling_restart_loses_nothing_and_makes_no_storm(site):
    nginx, shops = site
    variants = [make_variant(on_hand=5) for _ in range(PRODUCTS)]

    def receive() -> None:
        for variant in variants:
            stock.receive(variant.pk, 1)

    # What nobody changes again: who is away then gets it with the answer, or never.
    rare = make_variant(on_hand=5)
    topics = [f"stock:{variant.pk}" for variant in (rare, *variants)]
    with Crowd(nginx.url, topics, SOCKETS) as crowd:
        pages = Busy(shopping(nginx, make_variant(on_hand=50)))
        with pages, Busy(receive) as shelves:
            for shop in shops:
                crowd.forget()
                restart(site, shop, lambda: stock.receive(rare.pk, 1))
                come_back(crowd, nginx)
                assert len(crowd.codes) >= SOCKETS // 3, "nginx gave it its share"
                assert set(crowd.codes) == {RESTART}
                assert crowd.peak() <= MOST_A_SECOND

        newest = versions([rare, *variants])
        took = crowd.wait(lambda: crowd.shows(newest), "the last change")
        print(f"all showed the last change {took:.2f} s later")
        assert crowd.ledger.count["gaps"] == 0, "a heartbeat had to tell of it"
        assert (pages.failures, shelves.failures) == ([], [])
        assert pages.done and shelves.done
        print(f"{pages.done} pages and forms, {shelves.done} times {PRODUCTS} changes")

        # The control: sent away without a word they all come at once.
        crowd.forget()
        shops[0].kill()
        come_back(crowd, nginx)
        shops[0].start()
        assert crowd.peak(0.5) > MOST_A_SECOND
        assert crowd.shows(newest)


def test_address_is_the_one_that_nginx_saw(site):
    """Who writes another's address, or one that is not counted, gains nothing."""
    with contextlib.ExitStack() as stack:
        for _ in range(len(site.shops) + 1):  # two of them at one shop
            stack.enter_context(Client(site.nginx, headers=FORGED))
        # They are 127.0.0.1, which nginx wrote behind it.

    # The control: without the proxy the shop believes it.
    direct = {"headers": FORGED, "origin": site.nginx.url}
    with Client(site.shops[0], **direct):
        with pytest.raises(InvalidStatus) as refused:
            Client(site.shops[0], **direct).__enter__()
    assert refused.value.response.status_code == 429


def test_what_machines_ask_is_not_passed_on(site):
    paths = ("/healthz", "/readyz", "/metrics")

    assert [ask(site.nginx.url + path) for path in paths] == [404, 404, 404]
    assert [ask(site.shops[0].url + path) for path in paths] == [200, 200, 200]
    assert ask(site.nginx.url + "/products/") == 200


def test_configuration_of_the_whole_server_is_one_that_nginx_takes(tmp_path):
    certificate = make_certificate(tmp_path)
    text = (FOLDER / "shop.conf").read_text()
    for theirs, ours in {
        "/etc/nginx/shop-locations.conf": FOLDER / "shop-locations.conf",
        "/etc/nginx/shop-http.conf": FOLDER / "shop-http.conf",
        "/var/log/nginx/": f"{tmp_path}/",
        "/etc/letsencrypt/live/shop.example/fullchain.pem": certificate,
        "/etc/letsencrypt/live/shop.example/privkey.pem": certificate,
        # nginx binds them even for a look, which low ones let only root do.
        "listen 80;": f"listen {free_port()};",
        "listen [::]:80;": f"listen [::]:{free_port()};",
        "listen 443 ssl;": f"listen {free_port()} ssl;",
        "listen [::]:443 ssl;": f"listen [::]:{free_port()} ssl;",
    }.items():
        assert theirs in text
        text = text.replace(theirs, str(ours))
    own = f"client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;"
    main = f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {own} {text} }}"
    (tmp_path / "nginx.conf").write_text(main)

    options = ["-t", "-q", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    checked = subprocess.run(
        [program(), *options, "-e", str(tmp_path / "error.log")],
        capture_output=True,
        text=True,
    )

    assert (checked.stderr, checked.returncode) == ("", 0)


@pytest.mark.parametrize(
    "path, megabytes, status",
    [
        ("/", 2, 413),
        ("/users/profile/", 5, 403),  # no token: the shop itself answers
        ("/users/profile/", 7, 413),
        ("/admin/products/product/add/", 8, 403),
        ("/admin/products/product/add/", 10, 413),
        ("/admin/products/product/import/", 20, 403),
        ("/admin/products/product/import/", 22, 413),
        ("/payments/stripe/webhook/", 1, 413),
    ],
)
def test_upload_may_be_as_large_as_its_page_needs(site, path, megabytes, status):
    body = bytes(megabytes * 2**20)
    request = urllib.request.Request(f"{site.nginx.url}{path}", body, method="POST")

    assert ask(request) == status


def numbers_of_nginx(text: str) -> dict[str, int]:
    """The largest body of each location, in bytes."""
    unit = {"k": 2**10, "m": 2**20}
    pairs = re.findall(
        r"location (?:= )?(/\S*) \{[^}]*?client_max_body_size (\d+)([km]);", text
    )
    return {path: int(number) * unit[letter] for path, number, letter in pairs}


@pytest.mark.parametrize(
    "size, page, socket", [(9_000, 200, 101), (16_000, 200, 101), (17_000, 431, 431)]
)
def test_cookies_have_one_limit_for_pages_and_sockets(site, size, page, socket):
    cookie = "a=" + "x" * size
    request = urllib.request.Request(f"{site.nginx.url}/products/")
    request.add_header("Cookie", cookie)

    assert ask(request) == page
    try:
        with Client(site.nginx, cookie=cookie):
            status = 101
    except InvalidStatus as refused:
        status = refused.response.status_code
        assert b"too many cookies" in refused.response.body
    assert status == socket


@pytest.mark.parametrize(
    "file, path", [(LOCATIONS, ""), (UNDER_PATH, "/shop")], ids=["root", "under a path"]
)
def test_nginx_has_the_numbers_of_the_shop(settings, file, path):
    text = file.read_text()
    nginx_numbers = numbers_of_nginx(text)
    numbers = {at.removeprefix(path): most for at, most in nginx_numbers.items()}

    assert {"/users/profile/", "/payments/stripe/webhook/", "/ws/"} <= numbers.keys()
    for path, most in numbers.items():
        assert limit_of("POST", path) == most
    header = settings.HTTP["HEADER_BYTES"] // 2**10
    assert f"large_client_header_buffers 4 {header}k;" in text
    assert f"client_max_body_size {limit_of('POST', '/') // 2**20}m;" in text
    for directive, name in (
        ("client_header_timeout", "HEADERS_S"),
        ("client_body_timeout", "BODY_S"),
        ("keepalive_timeout", "KEEP_ALIVE_S"),
    ):
        assert f"{directive} {settings.HTTP[name]:.0f}s;" in text


@pytest.mark.parametrize(
    "path, logged",
    [
        ("/orders/7K3MPQ2X/?t=SECRET", "/orders/7K3MPQ2X/ "),
        ("/users/password/reset/key/1-SECRET/", "/users/password/reset/key/- "),
        ("/users/password/reset/%6bey/1-SECRET/", "/users/password/reset/key/- "),
        ("/users//confirm-email/SECRET/?x=SECRET", "/users/confirm-email/- "),
        ("/tell-me/stop/SECRET/", "/tell-me/stop/- "),
        ("/orders/confirm/SECRET/", "/orders/confirm/- "),
        ("/shop/users/confirm-email/SECRET/", "/shop/users/confirm-email/- "),
        ("/users/confirm-email/SECRET/users/confirm-email/", "/users/confirm-email/- "),
        ("/products/?q=SECRET", "/products/ "),
    ],
)
def test_access_log_holds_no_secrets(site, path, logged):
    log = site.nginx.accesses
    before = log.stat().st_size if log.exists() else 0
    referer = {"Referer": f"{site.nginx.url}/orders/7K3MPQ2X/?t=SECRET"}

    ask(urllib.request.Request(site.nginx.url + path, headers=referer))

    wait_until(lambda: log.stat().st_size > before, "the line", LIMIT_S)
    line = log.read_bytes()[before:].decode()
    assert f'"GET {logged}' in line
    assert "SECRET" not in line


def test_nginx_gives_a_request_the_id_that_its_log_and_the_answer_have(site):
    log = site.nginx.accesses
    before = log.stat().st_size if log.exists() else 0
    forged = {"X-Request-ID": "0123456789abcdef0123456789abcdef"}
    request = urllib.request.Request(f"{site.nginx.url}/nowhere/", headers=forged)

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=LIMIT_S)

    with refused.value as answer:
        request_id = answer.headers["X-Request-ID"]
    wait_until(lambda: log.stat().st_size > before, "the line", LIMIT_S)
    assert request_id != forged["X-Request-ID"]
    assert log.read_bytes()[before:].decode().rstrip().endswith(f" {request_id}")
