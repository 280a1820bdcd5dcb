"""What those who run the shop are told: JSON lines, request ids, errors and traces; by
a real server and a real worker, to a receiver that reads what comes."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.message import Message
from http.client import parse_headers

import pytest
from django.test import Client as Browser
from redis import exceptions as redis_errors

from tests.support.client import Client
from tests.support.factories import make_shopper, make_variant
from tests.support.layers import publishing_at
from tests.support.receivers import Receiver, receiving
from tests.support.reported import planted
from tests.support.servers import Daphne, Redis, free_port, wait_until
from tests.support.smtp import SmtpServer, running
from tests.support.workers import Worker

pytestmark = pytest.mark.django_db(transaction=True)

SOON_S = 15
REPORTED = {"DJANGO_SETTINGS_MODULE": "tests.support.reported.settings"}
HEX = re.compile(r"[0-9a-f]{32}")


def ask(
    shop: Daphne, path: str, data: bytes | None = None, **headers: str
) -> tuple[int, Message, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(
        f"http://127.0.0.1:{shop.port}{path}", data=data, headers=named
    )
    try:
        with urllib.request.urlopen(request, timeout=SOON_S) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


def lines(process) -> list[dict]:
    """What it has logged. Raises for a line that is not JSON."""
    return [json.loads(line) for line in process.said().splitlines()]


class Reported:
    """A shop that reports everything everywhere: server, worker, mail, receiver."""

    def __init__(self, shop, worker, smtp, receiver, redis) -> None:
        self.shop: Daphne = shop
        self.worker: Worker = worker
        self.smtp: SmtpServer = smtp
        self.receiver: Receiver = receiver
        self.redis: Redis = redis

    def lines_of(self, request_id: str) -> list[dict]:
        entries = [*lines(self.shop), *json_lines(self.worker)]
        return [line for line in entries if line.get("request_id") == request_id]


def json_lines(worker: Worker) -> list[dict]:
    """Without Celery's banner, which is no log line; `--quiet` leaves it out."""
    return [json.loads(x) for x in worker.said().splitlines() if x.startswith("{")]


@pytest.fixture(scope="module")
def whole(
    django_db_setup, tmp_path_factory, static, shared_redis
) -> Iterator[Reported]:
    folder = tmp_path_factory.mktemp("reported")
    with running() as smtp, receiving() as receiver:
        environment = static | REPORTED
        environment |= {
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "DEBUG",
            "BEHIND_PROXY": "1",
            "SENTRY_DSN": receiver.dsn,
            "SENTRY_RELEASE": "1.2.3",
            "SENTRY_TRACES_SAMPLE_RATE": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_SERVICE_NAME": "planted-shop",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(smtp.port),
            "EMAIL_USE_TLS": "0",
        }
        shop = Daphne(folder, shared_redis.url, **environment)
        worker = Worker(folder, shared_redis.url, **environment)
        worker.launch()
        shop.start()
        worker.wait()
        yield Reported(shop, worker, smtp, receiver, shared_redis)
        worker.stop()
        shop.stop()


@pytest.fixture
def reported(transactional_db, whole) -> Iterator[Reported]:
    with publishing_at(whole.redis.url):
        yield whole


def test_request_its_tasks_their_mail_and_their_push_have_one_id(reported):
    variant = make_variant()
    with Client(reported.shop) as client:
        client.watch(f"stock:{variant.pk}")
        status, headers, _body = ask(reported.shop, f"/works/{variant.pk}/")
        request_id = headers["X-Request-ID"]

        def told() -> set[str]:
            return {line["logger"] for line in reported.lines_of(request_id)}

        wanted = {
            "project.http.requests",
            "tests.support.reported.urls",
            "tests.support.reported.tasks",
            "project.mail.delivery",
            "realtime.hub.writing",
        }
        wait_until(lambda: wanted <= told(), f"{wanted - told()}", SOON_S)

        client.shows(f"stock:{variant.pk}", 2**40)
        assert request_id not in json.dumps(client.frames)

    assert status == 200
    (mail,) = [m for m in reported.smtp.taken if m["X-Request-ID"] == request_id]
    assert mail["Subject"] == "Planted"
    by_message = {line["message"]: line for line in reported.lines_of(request_id)}
    page = by_message["The page for [e-mail]"]
    assert page["route"] == "/works/<int:variant>/"
    second = by_message["The second task"]
    assert second["task"] == "tests.support.reported.tasks.second" and second["task_id"]
    assert second["program"] == "worker" and page["program"] == "server"
    (push,) = [x for x in by_message.values() if x["logger"] == "realtime.hub.writing"]
    assert push["message"].startswith("Pushing stock, version ")
    (end,) = [x for x in by_message.values() if x["logger"] == "project.http.requests"]
    assert (end["method"], end["path"], end["status"]) == ("GET", page["route"], 200)
    assert end["duration_ms"] > 0


def test_trace_joins_a_request_its_statements_its_tasks_and_their_mail(reported):
    variant = make_variant()
    _status, headers, _body = ask(
        reported.shop, f"/works/{variant.pk}/?t={planted.TOKEN}"
    )
    request_id = headers["X-Request-ID"]

    def spans() -> dict[str, list]:
        pages = reported.receiver.named("GET works/<int:variant>/")
        mine = [p for p in pages if attribute(p, "shop.request_id") == request_id]
        if not mine:
            return {}
        trace = mine[0].trace_id
        by_name: dict[str, list] = {}
        for span in list(reported.receiver.spans):
            if span.trace_id == trace:
                by_name.setdefault(span.name, []).append(span)
        return by_name

    wanted = {
        "GET works/<int:variant>/",
        "SELECT",
        "run/tests.support.reported.tasks.first",
        "run/tests.support.reported.tasks.second",
        "run/project.mail.tasks.deliver_mail",
        "deliver mail",
    }
    wait_until(lambda: wanted <= spans().keys(), f"{wanted}", SOON_S)
    assert reported.receiver.services == {"planted-shop"}
    orphans = [
        s for s in reported.receiver.spans if s.kind == 3 and not s.parent_span_id
    ]
    assert not orphans, orphans[:3]
    assert no_secrets(reported.receiver)
    logged = [x for x in reported.lines_of(request_id) if "trace_id" in x]
    (page,) = spans()["GET works/<int:variant>/"]
    assert {x["trace_id"] for x in logged} == {page.trace_id.hex()}


def attribute(span, name: str) -> str | None:
    return next((x.value.string_value for x in span.attributes if x.key == name), None)


def no_secrets(receiver: Receiver) -> bool:
    everything = b"\n".join(receiver.bodies)
    leaked = [secret for secret in planted.ALL if secret.encode() in everything]
    assert not leaked, leaked
    return True


def test_error_of_a_page_arrives_once_without_secrets_and_its_page_has_the_reference(
    reported,
):
    status, headers, body = ask(
        reported.shop,
        f"/orders/confirm/{planted.TOKEN}/?t={planted.TOKEN}",
        Cookie=f"planted={planted.COOKIE}",
        Authorization=f"Bearer {planted.TOKEN}",
        User_Agent=f"token={planted.TOKEN}",
        Referer=f"http://localhost/tell-me/stop/{planted.TOKEN}/",
    )
    request_id = headers["X-Request-ID"]

    assert status == 500
    assert f"<code>{request_id}</code>" in body

    def mine() -> list[dict]:
        events = reported.receiver.raised("The page broke")
        return [e for e in events if e["tags"]["request_id"] == request_id]

    wait_until(lambda: bool(mine()), "the event", SOON_S)
    wait_until(
        lambda: any(
            x["logger"] == "project.http.requests"
            for x in reported.lines_of(request_id)
        ),
        "the line",
        SOON_S,
    )
    (event,) = mine()
    assert event["transaction"] == "/orders/confirm/{token}/"
    assert event["request"] == {
        "method": "GET",
        "url": f"http://127.0.0.1:{reported.shop.port}/orders/confirm/-/",
    }
    assert event["release"] == "1.2.3" and event["environment"] == "production"
    assert [e["type"] for e in event["exception"]["values"]] == [
        "ValueError",
        "RuntimeError",
    ]
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert any("raise RuntimeError" in (f.get("context_line") or "") for f in frames)
    assert no_secrets(reported.receiver)
    (logged,) = [x for x in reported.lines_of(request_id) if "exception" in x]
    assert "RuntimeError: The page broke: /orders/confirm/-/" in logged["exception"]
    assert not any(secret in reported.shop.said() for secret in planted.ALL)


def test_error_of_a_form_says_nothing_that_was_typed(reported):
    data = f"password={planted.PASSWORD}&email={planted.EMAIL}".encode()
    cookie = "csrftoken=" + "a" * 32
    status, headers, _body = ask(
        reported.shop,
        f"/orders/confirm/{planted.TOKEN}/",
        data,
        Cookie=f"{cookie}; sessionid={planted.COOKIE}",
        X_CSRFToken="a" * 32,
        Referer=reported.shop.url,
    )
    request_id = headers["X-Request-ID"]

    def mine() -> list[dict]:
        events = reported.receiver.raised("The page broke")
        return [e for e in events if e["tags"]["request_id"] == request_id]

    assert status == 500
    wait_until(lambda: bool(mine()), "the event", SOON_S)
    assert len(mine()) == 1
    assert no_secrets(reported.receiver)


def test_error_of_a_task_arrives_once_without_secrets(reported):
    _status, headers, _body = ask(reported.shop, "/task-fails/")
    request_id = headers["X-Request-ID"]

    def mine() -> list[dict]:
        events = reported.receiver.raised("The task broke")
        return [e for e in events if e["tags"]["request_id"] == request_id]

    wait_until(lambda: bool(mine()), "the event", SOON_S)
    ended = [{"logger": "celery.app.trace", "level": "ERROR"}]
    wait_until(
        lambda: any(
            {k: x[k] for k in ended[0]} == ended[0]
            for x in reported.lines_of(request_id)
        ),
        "the task's line",
        SOON_S,
    )
    (event,) = mine()
    assert event["tags"]["program"] == "worker"
    assert event["transaction"] == "tests.support.reported.tasks.fails"
    assert no_secrets(reported.receiver)
    assert not any(secret in reported.worker.said() for secret in planted.ALL)


@pytest.mark.parametrize(
    "topic, words",
    [("breaks:1", "The socket broke"), ("unloadable:1", "The hub broke")],
)
def test_error_of_a_socket_or_of_the_hub_arrives_once_without_secrets(
    reported, topic, words
):
    ask(reported.shop, "/")  # knows the topics
    with Client(reported.shop, headers={"X-Request-ID": "socket-0123456789"}) as client:
        client.send_raw(json.dumps({"t": "sub", "id": 1, "topics": {topic: None}}))
        wait_until(lambda: bool(reported.receiver.raised(words)), "the event", SOON_S)

    (event,) = reported.receiver.raised(words)
    is_sockets = event.get("tags", {}).get("request_id") == "socket-0123456789"
    assert is_sockets is (topic == "breaks:1")
    logged = [x for x in lines(reported.shop) if words in x.get("exception", "")]
    assert [x.get("request_id") for x in logged] == (
        ["socket-0123456789"] if is_sockets else [None]
    )
    assert no_secrets(reported.receiver)
    assert not any(secret in reported.shop.said() for secret in planted.ALL)


def test_line_of_a_page_names_an_account_by_its_number_alone(reported):
    user = make_shopper(email=planted.EMAIL)
    browser = Browser()
    browser.force_login(user)
    cookie = f"sessionid={browser.cookies['sessionid'].value}"

    status, headers, _body = ask(reported.shop, "/users/profile/", Cookie=cookie)

    request_id = headers["X-Request-ID"]
    wait_until(lambda: bool(reported.lines_of(request_id)), "the line", SOON_S)
    (line,) = reported.lines_of(request_id)
    assert (line["status"], line["path"]) == (status, "/users/profile/")
    assert line["user_id"] == user.pk
    assert browser.cookies["sessionid"].value not in reported.shop.said()
    assert no_secrets(reported.receiver)


def test_every_line_of_server_and_worker_is_a_json_object(reported):
    """Also after all that the tests before this one have broken."""
    ask(reported.shop, "/nowhere/")
    entries = [*lines(reported.shop), *json_lines(reported.worker)]

    wait_until(lambda: " ready." in reported.worker.said(), "Celery's line", SOON_S)
    for line in entries:
        assert {
            "time",
            "level",
            "logger",
            "message",
            "process",
            "program",
        } <= line.keys()
        assert line["time"].endswith("Z")
        assert datetime.fromisoformat(line["time"]).utcoffset().total_seconds() == 0
    assert {line["program"] for line in entries} == {"server", "worker"}
    assert any(x["logger"].startswith("celery.") for x in entries)


def test_id_of_a_proxy_is_kept_and_an_odd_one_is_not(reported):
    given = {
        "0123456789abcdef0123456789abcdef": True,
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301": True,
        "short": False,
        "a" * 129: False,
        "<script>alert(1)</script>": False,
        "ann@people.example": False,
        'id", "level": "CRITICAL': False,
    }
    for text, is_kept in given.items():
        _status, headers, _body = ask(reported.shop, "/healthz", X_Request_ID=text)
        assert (headers["X-Request-ID"] == text) is is_kept, text
        if not is_kept:
            assert HEX.fullmatch(headers["X-Request-ID"])


def test_id_and_trace_of_a_stranger_are_not_believed(redis, serve, shared_redis):
    """Without a proxy, the address of the connection counts."""
    with receiving() as receiver:
        shop = serve(
            redis,
            LOG_FORMAT="json",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_BSP_SCHEDULE_DELAY="200",
        )
        _status, headers, _body = ask(
            shop,
            "/users/login/",
            X_Request_ID="0123456789abcdef0123456789abcdef",
            Traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01",
        )
        wait_until(lambda: bool(receiver.named("GET users/login/")), "a span", SOON_S)
        begun = time.monotonic()
        shop.stop()

        assert time.monotonic() - begun < 10
    assert headers["X-Request-ID"] != "0123456789abcdef0123456789abcdef"
    (page,) = receiver.named("GET users/login/")
    assert page.trace_id.hex() != "ab" * 16
    assert receiver.services == {"shop"}


def test_kept_page_has_the_id_of_the_request_that_it_answers(redis, serve):
    make_variant()
    shop = serve(redis, CATALOGUE_MAX_AGE_S="30")
    pages = [ask(shop, "/products/") for _ in range(4)]

    ids = [headers["X-Request-ID"] for _status, headers, _body in pages]
    assert len(set(ids)) == 4
    assert not any(request_id in pages[-1][2] for request_id in ids)
    assert all(HEX.fullmatch(request_id) for request_id in ids)
    assert all(len(h.get_all("X-Request-ID")) == 1 for _s, h, _b in pages)


@pytest.mark.parametrize("is_hanging", [True, False])
def test_receiver_that_is_away_blocks_no_page_and_costs_a_line_each(
    transactional_db, redis, serve, is_hanging
):
    url = f"127.0.0.1:{free_port()}"
    with hanging_at(url) if is_hanging else nobody():
        shop = serve(
            redis,
            SENTRY_DSN=f"http://key@{url}/42",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{url}",
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
            OTEL_BSP_SCHEDULE_DELAY="100",
            **REPORTED,
        )
        ask(shop, f"/orders/confirm/{planted.TOKEN}/")
        begun = time.monotonic()
        for _ in range(10):
            assert ask(shop, f"/orders/confirm/{planted.TOKEN}/")[0] == 500
        assert time.monotonic() - begun < 3
        expected = ["Traces cannot be sent"] + (
            [] if is_hanging else ["Errors are not sent"]
        )
        wait_until(
            lambda: all(x in shop.said() for x in expected), f"{expected}", SOON_S
        )
        for _ in range(3):
            ask(shop, f"/orders/confirm/{planted.TOKEN}/")
        begun = time.monotonic()
        shop.stop()

        assert time.monotonic() - begun < 10
    assert all(shop.said().count(words) == 1 for words in expected), shop.said()
    assert "Retry" not in shop.said() and "urllib3" not in shop.said()


@contextmanager
def nobody() -> Iterator[None]:
    yield


@contextmanager
def hanging_at(address: str) -> Iterator[None]:
    """Takes connections and never answers."""
    host, port = address.split(":")
    with socket.create_server((host, int(port)), backlog=64):
        yield


def raw(shop: Daphne, request: bytes) -> tuple[str, Message]:
    """The status line and the headers of an answer to those very bytes."""
    with socket.create_connection(("127.0.0.1", shop.port), SOON_S) as link:
        link.sendall(request)
        head = link.makefile("rb")
        line = head.readline().decode()
        return line, parse_headers(head)


@pytest.mark.parametrize(
    "status, line, more",
    [
        ("404", b"GET /nowhere/", b""),
        ("413", b"POST /basket/", b"Content-Length: 99000000\r\n"),
        ("431", b"GET /", b"X-Long: " + b"a" * 20_000 + b"\r\n"),
        ("403", b"GET /metrics", b"X-Forwarded-For: 192.0.2.1\r\n"),
        (
            "403",
            b"GET /ws/",
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            b"Origin: http://evil.example\r\n",
        ),
    ],
    ids=["not-found", "too-large", "headers-too-large", "metrics", "socket"],
)
def test_refusal_has_the_id_whoever_refuses(reported, status, line, more):
    given = "0123456789abcdef0123456789abcdef"
    start = b"%s HTTP/1.1\r\nX-Request-ID: %s\r\nHost: localhost\r\n"

    answer, headers = raw(
        reported.shop, start % (line, given.encode()) + more + b"\r\n"
    )

    assert answer.split()[1] == status
    (request_id,) = headers.get_all("X-Request-ID")
    assert request_id == given


def test_redis_that_is_away_is_one_event_and_not_one_for_each_who_tries(caplog):
    """That of the line in the log, whose level is one that is sent."""
    from project import sentry

    raised = (ConnectionError, redis_errors.ConnectionError("away"), None)

    events = [sentry._before_send({}, {"exc_info": raised}) for _ in range(3)]

    assert events == [None] * 3
    records = [each for each in caplog.records if each.name == "realtime.outages"]
    assert [each.levelname for each in records] == ["ERROR"]
