"""Redis refuses or is away, in every way that it can, while a server, a worker and beat
use it. The shop sells, each process says so once, and all go on when it is over."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from post_office.models import STATUS, Email

from products.models import Order
from products.stock import services as stock
from project import redis_url
from realtime import outages
from tests.support.buyer import Buyer
from tests.support.client import Client
from tests.support.factories import make_variant
from tests.support.layers import publishing_at
from tests.support.redis_faults import FAULTS
from tests.support.servers import Daphne, Process, Redis, wait_until
from tests.support.smtp import running
from tests.support.workers import Beat, Worker

BACK_S = 30
PAGE_S = 5  # nobody waits longer for a page, whatever is down


@dataclass
class World:
    redis: Redis
    server: Daphne
    worker: Worker
    beat: Beat

    @property
    def processes(self) -> list[Process]:
        return [self.server, self.worker, self.beat]

    def readiness(self) -> dict:
        url = f"http://127.0.0.1:{self.server.port}/readyz"
        with urllib.request.urlopen(url, timeout=PAGE_S) as answer:  # it is 200
            return json.load(answer)


@pytest.fixture(scope="module")
def shared_world(django_db_setup, tmp_path_factory, static) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("refusals")
    with ExitStack() as stack:
        smtp = stack.enter_context(running())
        mail = {
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(smtp.port),
            "EMAIL_USE_TLS": "0",
            "OUTBOX_SWEEP_S": "0.3",
        }
        redis = Redis(folder)
        stack.callback(redis.stop)
        redis.start()
        server = Daphne(folder, redis.url, **static, LIVE_AUDIT_S="3600")
        worker = Worker(folder, redis.url, **mail)
        beat = Beat(folder, redis.url, **mail)
        for process in (server, worker, beat):
            stack.callback(process.kill)
            process.launch()
        for process in (worker, beat):
            process.wait()
        wait_until(server.is_ready, "the server", BACK_S)
        yield World(redis, server, worker, beat)


@pytest.fixture(scope="module")
def the_redis(tmp_path_factory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop()


@pytest.fixture
def world(transactional_db, shared_world) -> Iterator[World]:
    with publishing_at(shared_world.redis.url):
        yield shared_world


def order_at(server: Daphne) -> None:
    Buyer(server, {make_variant(on_hand=5): 1}).check_out_within(PAGE_S)


def all_sent() -> bool:
    return not Email.objects.exclude(status=STATUS.sent).exists()


def loud(process: Process, since: int) -> list[str]:
    """What a process has said that is more than news: of a server, no requests."""
    return [
        line
        for line in process.said(since).splitlines()
        if line.strip() and "INFO" not in line and "127.0.0.1:" not in line
    ]


def says(process: Process, words: str, since: int) -> None:
    what = f"{words} in {process.log}"
    wait_until(lambda: words in process.said(since), what, BACK_S)


def works(world: World) -> None:
    """Beat sends and the worker takes: a mail that nobody has told of goes out."""
    for process in world.processes:
        assert process._process.poll() is None, process.said()[-4000:]
    wait_until(all_sent, "the mail", BACK_S)


@pytest.mark.parametrize(
    "name", ["replica", "full", "without_rights", "another_password", "killed"]
)
def test_outage_is_sold_through_said_once_by_each_process_and_survived(world, name):
    fault, variant = FAULTS[name], make_variant(on_hand=10)
    topic = f"stock:{variant.pk}"
    with Client(world.server) as client:
        client.watch(topic)
        marks = [process.mark() for process in world.processes]
        with fault.begin(world.redis):
            assert world.readiness()["redis"] == fault.state
            order_at(world.server)
            stock.claim({variant.pk: 1})
            client.shows(topic, 2)
            for process, mark in zip(world.processes, marks, strict=True):
                if process is not world.worker:  # it may have nothing to write
                    says(process, f"Redis is {fault.state}", mark)
        stock.claim({variant.pk: 1})
        client.shows(topic, 3)
        works(world)

    assert Order.objects.count() == 1
    for process, mark in zip(world.processes, marks, strict=True):
        if loud(process, mark):
            says(process, "Redis is back", mark)
            assert len(loud(process, mark)) == 2, loud(process, mark)


# --- What the shop calls it -------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_health_check_says_what_redis_refuses(the_redis, settings, name):
    settings.REDIS = redis_url.parse(the_redis.url)
    fault = FAULTS[name]
    assert outages.ask() == "ok"

    with fault.begin(the_redis):
        assert outages.ask() == fault.state

    assert outages.ask() == "ok"
