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
def door(live) -> Admission:
    return Admission()


def enter(door: Admission, socket: str, address: str | None):
    refusal = door.enter(socket, address)
    if refusal is None:
        door.answered(socket)
    return refusal


def test_enter_up_to_the_limit_of_an_address_and_no_further(door):
    assert enter(door, "a", HERE) is None
    assert enter(door, "b", HERE) is None

    assert enter(door, "c", HERE) is CROWD
    assert enter(door, "d", THERE) is None


def test_enter_after_another_of_the_address_has_left(door):
    enter(door, "a", HERE)
    enter(door, "b", HERE)

    door.leave("a", HERE)

    assert enter(door, "c", HERE) is None


def test_enter_up_to_the_limit_of_the_process(door):
    for number in range(4):
        assert enter(door, f"s{number}", None) is None

    assert enter(door, "one too many", None) is FULL
    door.leave("s0", None)
    assert enter(door, "another", None) is None


def test_leave_of_a_socket_that_was_refused_gives_no_room(door):
    for number in range(4):
        enter(door, f"s{number}", None)

    door.leave("never in", HERE)

    assert enter(door, "one too many", None) is FULL


def test_leave_twice_counts_once(door):
    enter(door, "a", HERE)
    enter(door, "b", HERE)

    door.leave("a", HERE)
    door.leave("a", HERE)

    assert enter(door, "c", HERE) is None
    assert enter(door, "d", HERE) is CROWD


def test_enter_while_too_many_wait_for_their_first_answer(door):
    for number in range(3):
        assert door.enter(f"s{number}", None) is None

    assert door.enter("s3", None) is BUSY
    door.answered("s1")
    assert door.enter("s3", None) is None


def test_enter_when_those_who_wait_have_waited_too_long(door, monkeypatch):
    for number in range(3):
        door.enter(f"s{number}", None)
    assert door.enter("s3", None) is BUSY

    monkeypatch.setattr(admission, "ANSWERED_S", 0)

    assert door.enter("s3", None) is None


def test_enter_while_many_are_silent_of_another_address(door, settings):
    settings.LIVE = settings.LIVE | {"SOCKETS": 10, "NEW_PER_ADDRESS": 10}
    for number in range(3):
        door.enter(f"s{number}", None)
        door.opened(f"s{number}")

    assert door.enter("s3", HERE) is None


def test_enter_while_too_many_of_the_address_have_no_answer_yet(door, settings):
    settings.LIVE = settings.LIVE | {"SOCKETS_PER_ADDRESS": 10}
    door.enter("a", HERE)
    door.enter("b", HERE)
    door.opened("b")

    assert door.enter("c", HERE) is SILENT
    assert door.enter("d", THERE) is None
    door.asks("b")
    assert door.enter("c", HERE) is SILENT
    door.answered("b")
    assert door.enter("c", HERE) is None
    door.leave("a", HERE)
    assert door.enter("e", HERE) is None


def test_asks_waits_for_us_again(door):
    for number in range(3):
        door.enter(f"s{number}", None)
        door.opened(f"s{number}")
        door.asks(f"s{number}")

    assert door.enter("s3", None) is BUSY


def test_silent_are_those_who_have_asked_for_nothing(door):
    door.enter("opening", None)
    for name in ("silent", "asking", "answered", "gone"):
        door.enter(name, None)
        door.opened(name)
    door.asks("asking")
    door.answered("answered")
    door.leave("gone", None)

    assert door.silent() == ["silent"]
    assert door.silent() == []


def test_silent_not_before_their_time(door, settings):
    settings.LIVE = settings.LIVE | {"SILENT_S": 60}
    door.enter("a", None)
    door.opened("a")

    assert door.silent() == []


def test_enter_while_the_process_is_being_stopped(door, monkeypatch):
    monkeypatch.setattr(draining, "_is_draining", True)

    assert door.enter("a", None) is DRAINING


async def test_refuse_tells_why_and_when_where_the_server_can():
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


async def test_refuse_closes_where_the_server_can_do_no_more():
    sent = []

    async def send(message):
        sent.append(message)

    await admission.refuse({"extensions": {}}, send, CROWD)

    assert sent == [{"type": "websocket.close"}]
