"""What machines ask a server, and what it may tell them."""

import json
import os
import time

import pytest

from project import redis_url
from project.http import health
from project.http.health import Health
from realtime import draining


class Answer:
    def __init__(self, messages: list[dict]) -> None:
        self.status = messages[0]["status"]
        self.headers = dict(messages[0]["headers"])
        self.body = messages[1]["body"]


async def pages(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"a page"})


async def ask(
    path: str,
    *,
    method="GET",
    headers=(),
    client=("127.0.0.1", 1),
    server=("127.0.0.1", 80),
):
    messages: list[dict] = []

    async def send(message: dict) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": list(headers),
        "client": client and list(client),
        "server": server and list(server),
    }
    await Health(pages)(scope, None, send)
    return Answer(messages)


@pytest.fixture
def away(monkeypatch):
    """`away(ask)`: the server that it asks does not answer."""

    def fail() -> None:
        raise OSError("away")

    return lambda name: monkeypatch.setattr(health, name, fail)


async def test_healthz_says_that_the_process_lives():
    answer = await ask("/healthz")

    assert answer.status == 200
    body = json.loads(answer.body)
    assert body["status"] == "ok"
    assert abs(body["now"] - time.time()) < 60
    assert answer.headers[b"cache-control"] == b"no-store"


async def test_healthz_by_head_has_no_body():
    answer = await ask("/healthz", method="HEAD")

    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path, method", [("/", "GET"), ("/healthz", "POST")])
async def test_whatever_else_is_asked_for_is_a_page(path, method):
    answer = await ask(path, method=method)

    assert answer.status == 299


@pytest.mark.django_db
async def test_readyz_with_everything_there_is_ready():
    answer = await ask("/readyz")

    assert answer.status == 200
    assert json.loads(answer.body) == {
        "status": "ready",
        "database": "ok",
        "redis": "ok",
        "draining": False,
        "role": "both",
        "process": os.getpid(),
    }


@pytest.mark.django_db
async def test_readyz_without_redis_is_ready_and_says_that_it_is_away(settings):
    settings.REDIS = redis_url.parse("redis://127.0.0.1:1/0")

    answer = await ask("/readyz")

    assert answer.status == 200
    assert json.loads(answer.body)["redis"] == "away"


async def test_readyz_without_a_database_is_not_ready(away):
    away("_ask_database")

    answer = await ask("/readyz")

    assert answer.status == 503
    assert json.loads(answer.body)["database"] == "away"


@pytest.mark.django_db
async def test_readyz_of_a_process_that_is_being_stopped_is_not_ready(monkeypatch):
    monkeypatch.setattr(draining, "_is_draining", False)  # as it is afterwards, too
    draining.begin()

    answer = await ask("/readyz")

    assert answer.status == 503
    assert json.loads(answer.body)["draining"] is True


@pytest.mark.django_db
async def test_metrics_are_in_the_format_of_prometheus():
    answer = await ask("/metrics")

    assert answer.status == 200
    assert answer.headers[b"content-type"].startswith(b"text/plain; version=")
    assert b"# TYPE python_info gauge" in answer.body
    assert b'shop_background_up{source="database"} ' in answer.body


@pytest.mark.django_db
@pytest.mark.parametrize(
    "token, headers, client, status",
    [
        ("", [], "127.0.0.1", 200),
        ("", [], "::1", 200),
        ("", [], "::ffff:127.0.0.1", 200),
        ("", [], "::ffff:192.0.2.7", 403),
        ("", [], "192.0.2.7", 403),
        ("", [(b"x-forwarded-for", b"127.0.0.1")], "127.0.0.1", 403),
        ("s3cret", [(b"authorization", b"Bearer s3cret")], "192.0.2.7", 200),
        ("s3cret", [(b"authorization", b"bearer s3cret")], "192.0.2.7", 200),
        ("s3cret", [(b"authorization", b"Basic s3cret")], "192.0.2.7", 403),
        ("s3cret", [(b"authorization", b"Bearer s3cre")], "192.0.2.7", 403),
        ("s3cret", [(b"authorization", b"s3cret")], "127.0.0.1", 403),
        ("s3cret", [(b"authorization", b"Bearer \xff")], "127.0.0.1", 403),
        ("s3cret", [], "127.0.0.1", 403),
    ],
)
async def test_metrics_are_for_who_has_the_token_or_is_here(
    settings, token, headers, client, status
):
    settings.METRICS_TOKEN = token

    answer = await ask("/metrics", headers=headers, client=(client, 1))

    assert answer.status == status
    assert (b"python_info" in answer.body) == (status == 200)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "server, headers, status",
    [
        (None, [], 200),  # as Daphne tells it
        (("/run/web/pages.1", None), [], 200),  # as ASGI says
        (("192.0.2.1", 80), [], 403),  # over TCP, from nobody knows where
        (None, [(b"x-forwarded-for", b"192.0.2.7")], 403),
    ],
)
async def test_metrics_are_for_who_may_open_the_unix_socket(server, headers, status):
    answer = await ask("/metrics", headers=headers, client=None, server=server)

    assert answer.status == status
