"""Processes for pages and for sockets, behind an nginx that knows which is which."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import InvalidStatus

from products.models import Stock
from products.stock import services as stock
from project import asgi
from realtime import bodies, file_budget, roles
from realtime.probes import no_pages
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.servers import Daphne, Shop, free_port, wait_until
from tests.support.shopper import Shopper
from tests.system.balancer import LOCATIONS, UNDER_PATH, Nginx

LIMIT_S = 60
ROOT = Path(__file__).resolve().parents[2]
PLACES = [("", LOCATIONS), ("/shop", UNDER_PATH)]


class Pages(Daphne):
    name = role = "pages"

    def address(self) -> list[str]:
        return [*super().address(), "--role", self.role]


class Sockets(Pages):
    name = role = "sockets"


class Site(NamedTuple):
    """A process of each kind, behind an nginx."""

    nginx: Nginx
    pages: Shop
    sockets: Shop


@pytest.fixture(scope="module", params=PLACES, ids=["root", "under a path"])
def shared_site(
    request, django_db_setup, shared_redis, static, tmp_path_factory
) -> Iterator[Site]:
    path, locations = request.param
    folder, port = tmp_path_factory.mktemp("roles"), free_port()
    options = static | {
        "BEHIND_PROXY": "1",
        "DOMAIN_NAME": f"http://localhost:{port}{path}",
        "LIVE_SOCKETS_PER_ADDRESS": "1",  # those of this machine are not counted
        "LIVE_AUDIT_S": "3600",
    }
    pages = Pages(folder, shared_redis.url, **options)
    sockets = Sockets(folder, shared_redis.url, **options)
    pages.path = sockets.path = path
    nginx = Nginx(folder, [pages], port, locations, [sockets])
    with contextlib.ExitStack() as stack:
        for process in (pages, sockets, nginx):
            stack.callback(process.stop)
            process.launch()
        for process in (pages, sockets, nginx):
            wait_until(process.is_ready, process.name, LIMIT_S)
        yield Site(nginx, pages, sockets)


@pytest.fixture
def site(transactional_db, redis, shared_site) -> Iterator[Site]:
    """A site that tests leave running, without a traceback in its logs."""
    marks = [(shop, shop.mark()) for shop in (shared_site.pages, shared_site.sockets)]
    yield shared_site
    for shop, since in marks:
        assert "Traceback" not in shop.said(since), shop.said(since)[-4000:]


def ask(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    """Return status and text of a response."""
    request = urllib.request.Request(url, body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_page_process_refuses_sockets_with_a_reason(site):
    with pytest.raises(InvalidStatus) as refused:
        Client(site.pages, origin=site.nginx.origin).__enter__()

    answer = refused.value.response
    assert answer.status_code == 421
    assert json.loads(answer.body)["reason"] == "role"
    assert "serves pages only" in json.loads(answer.body)["msg"]
    status, text = ask(f"{site.pages.url}/ws/")
    assert (status, json.loads(text)) == (421, json.loads(answer.body))
    assert ask(f"{site.pages.url}/products/")[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/", "/products/", "/static/no.css", "/ws/more/"])
def test_socket_process_refuses_pages_with_a_reason(site, method, path):
    body = b"x=1" if method == "POST" else None

    status, text = ask(f"{site.sockets.url}{path}", method, body)

    assert status == 421
    assert json.loads(text)["reason"] == "role"
    assert "serves sockets only" in json.loads(text)["msg"]


def test_socket_process_answers_a_plain_request_at_its_address(site):
    assert ask(f"{site.sockets.url}/ws/")[0] == 426


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_every_process_answers_health_checks(site, path):
    for shop in (site.pages, site.sockets):
        assert ask(shop.origin + path)[0] == 200


def test_readyz_names_the_role(site):
    for shop in (site.pages, site.sockets):
        assert json.loads(ask(f"{shop.origin}/readyz")[1])["role"] == shop.name


def test_metrics_of_a_page_process_have_no_sockets(site):
    assert "\nshop_sockets_limit 0.0\n" in ask(f"{site.pages.origin}/metrics")[1]
    assert "\nshop_sockets_limit 0.0\n" not in ask(f"{site.sockets.origin}/metrics")[1]


def test_nginx_sends_each_request_to_the_right_process(site):
    variant = make_variant(on_hand=5)
    before = {shop: shop.mark() for shop in (site.pages, site.sockets)}

    shopper = Shopper(site.nginx)
    shopper.get("/products/")
    with shopper.socket() as socket:
        topic = f"stock:{variant.pk}"
        socket.watch(topic)
        stock.receive(variant.pk, 1)
        socket.shows(topic, Stock.objects.get(variant=variant).version)
    assert ask(f"{site.nginx.url}/ws/")[0] == 426

    output = {shop.name: shop.said(since) for shop, since in before.items()}
    assert "/ws/" not in output["pages"] and "/products/" in output["pages"]
    assert "/ws/" in output["sockets"] and "/products/" not in output["sockets"]


# --- The command line -------------------------------------------------------------


@pytest.mark.parametrize("role", ["web", "", "Pages", "pages,sockets"])
def test_unknown_role_fails_with_one_line(role):
    words = ["-m", "realtime.server", "--role", role, "project.asgi:application"]

    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )

    line = f"--role {role}: a process serves pages, sockets or both.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", line)


# --- Threads and files ------------------------------------------------------------


@pytest.fixture
def as_role(monkeypatch):
    """Set the role of this process: `as_role("pages")`."""
    return lambda role: monkeypatch.setattr(roles, "_role", role)


def test_socket_process_has_no_threads_for_pages(as_role):
    as_role("sockets")

    assert asgi.pages() is no_pages


def test_socket_process_reserves_no_files_for_pages(as_role, monkeypatch):
    monkeypatch.setattr(file_budget, "_limit", lambda: 1024)
    both = file_budget.sockets(), file_budget.own()
    as_role("sockets")

    assert file_budget.own() == file_budget.BASE < both[1]
    assert file_budget.sockets() > both[0]
    assert file_budget.sockets() + file_budget.pages() + file_budget.own() == 1024


def test_page_process_reserves_no_files_for_sockets(as_role):
    both = file_budget.own(), file_budget.pages()
    as_role("pages")

    assert file_budget.sockets() == 0
    assert (file_budget.own(), file_budget.pages()) == both


def test_socket_process_reads_no_large_bodies(as_role):
    as_role("sockets")

    paths = ("/users/profile/", "/admin/products/product/import/", "/ws/")
    assert {bodies.limit_of("POST", path) for path in paths} == {64 * 2**10}
