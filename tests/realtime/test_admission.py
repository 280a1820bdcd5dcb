"""How many sockets a process takes."""

import pytest

from realtime import admission, draining
from realtime.admission import BUSY, CROWD, DRAINING, FULL, SILENT, Admission

HERE, THERE = "203.0.113.7", "198.51.100.1"


@pytest.fixture
def live(settings):
    settings.LIVE = settings.LIVE | {
        "SOCKETS": 4,
        "SOCKETS_PER_ADDRESS": 2,
        "HANDSHAKES": 3,
        "NEW_PER_ADDRESS": 2,
        "SILENT_S": 0,
    }
    return settings.LIVE


@pytest.fixture
def sockets(live) -> Admission:
    return Admission()


def enter(sockets: Admission, socket: str, address: str | None):
    refusal = sockets.enter(socket, address)
    if refusal is None:
        sockets.answered(socket)
    return refusal


def test_enter_is_refused_beyond_the_limit_of_an_address(sockets):
    assert enter(sockets, "a", HERE) is None
    assert enter(sockets, "b", HERE) is None

    assert enter(sockets, "c", HERE) is CROWD
    assert enter(sockets, "d", THERE) is None


def test_enter_succeeds_after_another_socket_of_the_address_left(sockets):
    enter(sockets, "a", HERE)
    enter(sockets, "b", HERE)

    sockets.leave("a", HERE)

    assert enter(sockets, "c", HERE) is None


def test_enter_is_refused_beyond_the_limit_of_the_process(sockets):
    for number in range(4):
        assert enter(sockets, f"s{number}", None) is None

    assert enter(sockets, "one too many", None) is FULL
    sockets.leave("s0", None)
    assert enter(sockets, "another", None) is None


def test_refused_socket_that_leaves_makes_no_room(sockets):
    for number in range(4):
        enter(sockets, f"s{number}", None)

    sockets.leave("never in", HERE)

    assert enter(sockets, "one too many", None) is FULL


def test_socket_that_leaves_twice_counts_once(sockets):
    enter(sockets, "a", HERE)
    enter(sockets, "b", HERE)

    sockets.leave("a", HERE)
    sockets.leave("a", HERE)

    assert enter(sockets, "c", HERE) is None
    assert enter(sockets, "d", HERE) is CROWD


def test_enter_is_refused_while_too_many_wait_for_an_answer(sockets):
    for number in range(3):
        assert sockets.enter(f"s{number}", None) is None

    assert sockets.enter("s3", None) is BUSY
    sockets.answered("s1")
    assert sockets.enter("s3", None) is None


def test_sockets_that_waited_too_long_no_longer_keep_others_out(sockets, monkeypatch):
    for number in range(3):
        sockets.enter(f"s{number}", None)
    assert sockets.enter("s3", None) is BUSY

    monkeypatch.setattr(admission, "HANDSHAKE_S", 0)

    assert sockets.enter("s3", None) is None


def test_silent_sockets_do_not_keep_other_addresses_out(sockets, settings):
    settings.LIVE = settings.LIVE | {"SOCKETS": 10, "NEW_PER_ADDRESS": 10}
    for number in range(3):
        sockets.enter(f"s{number}", None)
        sockets.opened(f"s{number}")

    assert sockets.enter("s3", HERE) is None


def test_enter_is_refused_while_the_address_has_too_many_new_sockets(sockets, settings):
    settings.LIVE = settings.LIVE | {"SOCKETS_PER_ADDRESS": 10}
    sockets.enter("a", HERE)
    sockets.enter("b", HERE)
    sockets.opened("b")

    assert sockets.enter("c", HERE) is SILENT
    assert sockets.enter("d", THERE) is None
    sockets.asks("b")
    assert sockets.enter("c", HERE) is SILENT
    sockets.answered("b")
    assert sockets.enter("c", HERE) is None
    sockets.leave("a", HERE)
    assert sockets.enter("e", HERE) is None


def test_socket_that_subscribes_waits_for_us_again(sockets):
    for number in range(3):
        sockets.enter(f"s{number}", None)
        sockets.opened(f"s{number}")
        sockets.asks(f"s{number}")

    assert sockets.enter("s3", None) is BUSY


def test_silent_sockets_are_those_that_never_subscribed(sockets):
    sockets.enter("opening", None)
    for name in ("silent", "asking", "answered", "gone"):
        sockets.enter(name, None)
        sockets.opened(name)
    sockets.asks("asking")
    sockets.answered("answered")
    sockets.leave("gone", None)

    assert sockets.silent() == ["silent"]
    assert sockets.silent() == []


def test_sockets_are_not_silent_before_their_time(sockets, settings):
    settings.LIVE = settings.LIVE | {"SILENT_S": 60}
    sockets.enter("a", None)
    sockets.opened("a")

    assert sockets.silent() == []


def test_enter_is_refused_while_the_process_drains(sockets, monkeypatch):
    monkeypatch.setattr(draining, "_is_draining", True)

    assert sockets.enter("a", None) is DRAINING


async def test_refuse_sends_reason_and_time_if_the_server_can():
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"extensions": {"websocket.http.response": {}}}
    await admission.refuse(scope, send, CROWD)

    start, body = sent
    headers = dict(start["headers"])
    assert start["status"] == 429
    assert CROWD.retry_s <= int(headers[b"retry-after"]) <= 2 * CROWD.retry_s
    assert b'"reason": "address"' in body["body"]


async def test_refuse_closes_if_the_server_can_send_nothing():
    sent = []

    async def send(message):
        sent.append(message)

    await admission.refuse({"extensions": {}}, send, CROWD)

    assert sent == [{"type": "websocket.close"}]
