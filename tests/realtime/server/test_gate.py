"""How many connections are accepted per iteration of the loop."""

import pytest

from realtime import file_budget
from realtime.server.gate import MAX_ACCEPTS, Gate


class Port:
    """A listening port at which a crowd waits."""

    def __init__(self) -> None:
        self.numberAccepts = 10 * MAX_ACCEPTS
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
    monkeypatch.setattr(file_budget, "connections", lambda: 20 * MAX_ACCEPTS)


def guard(port: Port, places: int, calls: list[str]) -> None:
    gate = Gate(lambda: places, lambda: calls.append("make_room"))
    gate.guard(port)


def test_iteration_accepts_a_limited_number_of_connections(port):
    guard(port, 10 * MAX_ACCEPTS, [])

    port.doRead()

    assert port.accepted == [MAX_ACCEPTS]


def test_iteration_accepts_no_more_than_may_wait_for_their_client(port):
    guard(port, 7, [])

    port.doRead()

    assert port.accepted == [7]


def test_full_port_pauses_and_makes_room(port):
    calls: list[str] = []
    guard(port, 0, calls)

    port.doRead()

    assert (port.accepted, calls, port.is_reading) == ([], ["make_room"], False)
