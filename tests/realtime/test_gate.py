"""How many connections are accepted in one turn of the loop."""

import pytest

from realtime import room
from realtime.gate import AT_ONCE, Gate


class Port:
    """A listening port at which a crowd waits."""

    def __init__(self) -> None:
        self.numberAccepts = 10 * AT_ONCE
        self.accepted: list[int] = []
        self.is_reading = True

    def doRead(self) -> None:
        self.accepted.append(self.numberAccepts)

    def stopReading(self) -> None:
        self.is_reading = False


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture(autouse=True)
def many_files(monkeypatch) -> None:
    monkeypatch.setattr(room, "connections", lambda: 20 * AT_ONCE)


def guard(port: Port, places: int, made: list[str]) -> None:
    gate = Gate(lambda: places, lambda: made.append("room"))
    gate.guard(port)


def test_turn_of_the_loop_accepts_no_more_than_it_can_read_soon(port):
    guard(port, 10 * AT_ONCE, [])

    port.doRead()

    assert port.accepted == [AT_ONCE]


def test_turn_accepts_no_more_than_may_wait_for_their_client(port):
    guard(port, 7, [])

    port.doRead()

    assert port.accepted == [7]


def test_port_pauses_and_makes_room_while_too_many_wait(port):
    made: list[str] = []
    guard(port, 0, made)

    port.doRead()

    assert (port.accepted, made, port.is_reading) == ([], ["room"], False)
