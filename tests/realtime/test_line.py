"""Handshakes that wait for their turn."""

from collections.abc import Callable

import pytest

from realtime.line import A_TURN, AT_ONCE, SHORTEST, WAIT_S, Line

HERE, THERE = "203.0.113.7", "198.51.100.1"


class Turns(list):
    """What is to be done in the loop's next turn."""

    def take(self) -> None:
        """One turn."""
        calls, self[:] = list(self), []
        for call in calls:
            call()


class Visitor:
    """A connection that begins a handshake when it is served."""

    def __init__(self, line: Line, order: list["Visitor"]) -> None:
        self._line, self._order = line, order

    def serve(self) -> None:
        self._order.append(self)
        self._line.begins(self)


class Nobody(Visitor):
    """One whose request turns out to be no handshake."""

    def serve(self) -> None:
        self._order.append(self)


class Broken(Visitor):
    """One that fails."""

    def serve(self) -> None:
        raise ValueError


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def line(turns) -> Line:
    return Line(lambda: 0.0, turns.append)


@pytest.fixture
def order() -> list[Visitor]:
    return []


@pytest.fixture
def busy(line) -> list[object]:
    """So many handshakes that nobody else is served."""
    handshakes = [object() for _ in range(AT_ONCE)]
    for handshake in handshakes:
        line.begins(handshake)
    return handshakes


def make(line: Line, order: list, count: int, kind: Callable = Visitor) -> list:
    visitors = [kind(line, order) for _ in range(count)]
    for visitor in visitors:
        line.wait(visitor, None)
    return visitors


def test_line_is_free_while_few_are_served(line):
    for number in range(AT_ONCE - 1):
        line.begins(number)
    assert line.is_free()

    line.begins("one more")

    assert not line.is_free()


def test_line_is_not_free_for_a_newcomer_while_others_wait(line, busy, order):
    make(line, order, 1)

    line.ends(busy[0])

    assert not line.is_free()


def test_line_serves_the_oldest_first_and_no_more_than_fit(line, busy, order, turns):
    first, second, third = make(line, order, 3)

    line.ends(busy[0])
    line.ends(busy[1])
    turns.take()

    assert order == [first, second]
    line.ends(busy[2])
    turns.take()
    assert order == [first, second, third]


def test_line_begins_a_few_handshakes_in_a_turn(line, busy, order, turns):
    make(line, order, A_TURN + 2)
    for handshake in busy:
        line.ends(handshake)

    turns.take()
    assert len(order) == A_TURN

    turns.take()
    assert len(order) == A_TURN + 2


def test_line_forgets_a_visitor_that_has_left(line, busy, order, turns):
    first, second = make(line, order, 2)

    line.leave(first)
    line.ends(busy[0])
    turns.take()

    assert order == [second]
    assert len(line) == 0


def test_handshake_that_ends_twice_makes_room_once(line, busy, order, turns):
    make(line, order, 2)

    line.ends(busy[0])
    line.ends(busy[0])
    turns.take()

    assert len(order) == 1


def test_line_goes_on_after_requests_that_are_no_handshakes(line, busy, order, turns):
    visitors = make(line, order, 2 * AT_ONCE, Nobody)

    for handshake in busy:
        line.ends(handshake)
    while turns:
        turns.take()

    assert order == visitors


def test_line_goes_on_after_a_failure(line, busy, order, turns):
    make(line, order, 1, Broken)
    (sound,) = make(line, order, 1)

    line.ends(busy[0])
    with pytest.raises(ValueError):
        turns.take()
    turns.take()

    assert order == [sound]


def test_line_is_full_while_the_first_has_waited_too_long(
    line, busy, order, turns, monkeypatch
):
    """The rate may be of better times."""
    fast = Line(lambda: 1e6, turns.append)
    make(fast, order, SHORTEST)
    assert not fast.is_full()

    monkeypatch.setattr("realtime.line.WAIT_S", 0)

    assert fast.is_full()


def test_line_is_full_when_a_newcomer_would_wait_too_long(turns, order):
    line = Line(lambda: 2.0 * SHORTEST, turns.append)
    make(line, order, int(WAIT_S * 2 * SHORTEST) - 1)
    assert not line.is_full()

    make(line, order, 1)

    assert line.is_full()


def test_slow_process_lets_some_wait_nevertheless(line, order):
    make(line, order, SHORTEST - 1)
    assert not line.is_full()

    make(line, order, 1)

    assert line.is_full()


def test_line_counts_those_of_an_address(line, busy, order, turns):
    line.wait(first := Visitor(line, order), HERE)
    line.wait(second := Visitor(line, order), HERE)
    line.wait(Visitor(line, order), THERE)
    assert line.waiting_of(HERE) == 2

    line.leave(second)
    line.ends(busy[0])
    turns.take()

    assert order == [first]
    assert (line.waiting_of(HERE), line.waiting_of(THERE)) == (0, 1)
