"""Who does not read costs no memory, gets the present when they read again, and is cut
when they never do. Meanwhile everybody else is served."""

import http.client
import itertools
import json
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.frames import Frame, Opcode

from products.basket import services as basket
from products.live.viewers import Owner
from products.models import Basket
from tests.support.client import Client
from tests.support.factories import (
    make_full_basket,
    make_user,
    make_variant,
    make_variants,
)
from tests.support.servers import Daphne, PlainDaphne, Shop, wait_until
from tests.support.shopper import Shopper

PLAIN = {"html": None, "ping_interval": None, "close_timeout": 0.1}
DEAF = PLAIN | {"buffer": 4096, "max_queue": 1}
SOCKETS = 10  # that do not read
WARM = 40  # changes: more than the system takes for a connection, even Daphne's
CHANGES = 40
LINES = 100
MANY_PINGS = b"".join(
    Frame(Opcode.PING, bytes(125)).serialize(mask=True) for _ in range(20)
)


@pytest.fixture(scope="module")
def started(django_db_setup, tmp_path_factory, shared_redis, static) -> Iterator[Shop]:
    shop = Daphne(
        tmp_path_factory.mktemp("slow"), shared_redis.url, **static, LIVE_AUDIT_S="60"
    )
    shop.start()
    yield shop
    shop.stop()


@pytest.fixture
def ours(transactional_db, redis, started) -> Shop:
    """For tests that leave it running."""
    return started


class Flood:
    """A basket whose every change is a frame of a third of a megabyte, one socket that
    reads, and some that only talk."""

    def __init__(self, stack: ExitStack, shop: Shop, deaf: int) -> None:
        user = make_user()
        self.products = make_variants(LINES, name="🛋" * 160)
        self.basket: Basket = make_full_basket(Owner(user_id=user.pk), self.products)
        shopper = Shopper(shop, user)
        self.quick = stack.enter_context(shopper.socket(**PLAIN))
        self.quick.watch("basket:lines")
        self.deaf: list[Client] = []
        for _ in range(deaf):
            client = stack.enter_context(shopper.socket(**DEAF))
            client.watch("basket:lines")
            self.deaf.append(client)
        self._quantities = itertools.cycle(range(2, 9))

    def change(self, times: int) -> None:
        for _ in range(times):
            units = next(self._quantities)
            basket.set_quantities(self.basket, {self.products[0].pk: units})
            self.basket.refresh_from_db()
            self.quick.shows("basket:lines", self.basket.version)

    def talk(self) -> None:
        """What a client may send without being thrown out: pings, which want answers,
        and now and then a question."""
        for client in self.deaf:
            client.socket.socket.sendall(MANY_PINGS)

    def ask(self) -> None:
        for client in self.deaf:
            client.send({"t": "sub", "id": 9, "topics": {"basket:lines": None}})

    @property
    def frame_size(self) -> int:
        return len(json.dumps(self.quick.frames[-1], ensure_ascii=False).encode())


def memory_of(shop: Shop) -> int:
    """Resident bytes of its process."""
    pages = int(Path(f"/proc/{shop.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def growth(flood: Flood, shop: Shop) -> float:
    """How much its memory grows under a flood, as a part of what it has written to
    those who don't read."""
    flood.change(WARM)
    before = memory_of(shop)
    for number in range(CHANGES):
        flood.change(1)
        if number % 10 == 0:  # as many frames as a socket may send
            flood.talk()
            flood.ask()
    written = CHANGES * SOCKETS * flood.frame_size
    return (memory_of(shop) - before) / written


def get(shop: Shop, path: str) -> str:
    link = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=20)
    try:
        link.request("GET", path, headers={"Host": f"localhost:{shop.port}"})
        answer = link.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        link.close()


def metric(shop: Shop, name: str) -> float:
    match = re.search(rf"^{re.escape(name)} (\S+)$", get(shop, "/metrics"), re.M)
    return float(match[1]) if match else 0


def test_clients_that_talk_and_do_not_read_cost_no_memory(ours):
    with ExitStack() as stack:
        flood = Flood(stack, ours, SOCKETS)

        grown = growth(flood, ours)

        print(f"ours: {grown:.3f} of {flood.frame_size} bytes a frame")
        assert grown < 0.05  # all share a frame's bytes: kept ones are a tenth
        assert metric(ours, "shop_slow_sockets") == SOCKETS
        assert metric(ours, "shop_skips_total") > 0
        assert get(ours, "/healthz")  # others are served
        with Client(ours) as newcomer:
            variant = make_variant()
            newcomer.watch(f"stock:{variant.pk}")


def test_clients_that_do_not_read_fill_plain_daphne(redis, serve):
    """The control: the flood is one, and memory shows it."""
    plain = serve(redis, PlainDaphne, LIVE_AUDIT_S="60")
    with ExitStack() as stack:
        flood = Flood(stack, plain, SOCKETS)

        grown = growth(flood, plain)

        print(f"plain: {grown:.3f} of {flood.frame_size} bytes a frame")
        assert grown > 0.5


def test_client_that_reads_again_gets_the_present(ours):
    with ExitStack() as stack:
        flood = Flood(stack, ours, 1)
        (slow,) = flood.deaf
        flood.change(CHANGES)
        flood.ask()

        facts = slow.shows("basket:lines", flood.basket.version)

        assert facts == flood.quick.page.facts["basket:lines"]
        assert len(slow.frames) < CHANGES / 2  # not all that it missed
        flood.change(1)
        slow.shows("basket:lines", flood.basket.version)  # it lives on


def test_client_that_never_reads_is_cut_and_counted(redis, serve):
    strict = serve(redis, LIVE_SLOW_S="1")
    with ExitStack() as stack:
        flood = Flood(stack, strict, 2)
        assert metric(strict, "shop_slow_cuts_total") == 0

        flood.change(5)

        wait_until(lambda: metric(strict, "shop_slow_cuts_total") == 2, "the cuts", 20)
        assert metric(strict, 'shop_closes_total{code="1006"}') == 2
        assert metric(strict, "shop_slow_sockets") == 0
        assert flood.deaf[0].closed() == 1006
        flood.change(1)  # who reads is still served
