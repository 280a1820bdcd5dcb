"""Handshakes that wait for their turn."""

from collections.abc import Callable

import pytest

from realtime.server.handshake_queue import (
    MAX_SERVED,
    MAX_STARTED,
    MAX_WAIT_S,
    MIN_LENGTH,
    HandshakeQueue,
)

HERE, THERE = "203.0.113.7", "198.51.100.1"


class Iterations(list):
    """What is to be done in the loop's next turn."""

    def iterate(self) -> None:
        """One turn."""
        calls, self[:] = list(self), []
        for call in calls:
            call()


class Handshake:
    """A connection that begins a handshake when it is served."""

    def __init__(self, queue: HandshakeQueue, order: list["Handshake"]) -> None:
        self._queue, self._order = queue, order

    def serve(self) -> None:
        self._order.append(self)
        self._queue.started(self)


class OtherRequest(Handshake):
    """One whose request loop out to be no handshake."""

    def serve(self) -> None:
        self._order.append(self)


class Broken(Handshake):
    """One that fails."""

    def serve(self) -> None:
        raise ValueError


@pytest.fixture
def loop() -> Iterations:
    return Iterations()


@pytest.fixture
def queue(loop) -> HandshakeQueue:
    return HandshakeQueue(lambda: 0.0, loop.append)


@pytest.fixture
def order() -> list[Handshake]:
    return []


@pytest.fixture
def busy(queue) -> list[object]:
    """So many handshakes that nobody else is served."""
    handshakes = [object() for _ in range(MAX_SERVED)]
    for handshake in handshakes:
        queue.started(handshake)
    return handshakes


def make(
    queue: HandshakeQueue, order: list, count: int, kind: Callable = Handshake
) -> list:
    handshakes = [kind(queue, order) for _ in range(count)]
    for handshake in handshakes:
        queue.join(handshake, None)
    return handshakes


def test_queue_is_free_while_few_handshakes_are_served(queue):
    for number in range(MAX_SERVED - 1):
        queue.started(number)
    assert queue.is_free()

    queue.started("one more")

    assert not queue.is_free()


def test_queue_is_not_free_while_others_wait(queue, busy, order):
    make(queue, order, 1)

    queue.finished(busy[0])

    assert not queue.is_free()


def test_queue_serves_the_oldest_first_within_its_limit(queue, busy, order, loop):
    first, second, third = make(queue, order, 3)

    queue.finished(busy[0])
    queue.finished(busy[1])
    loop.iterate()

    assert order == [first, second]
    queue.finished(busy[2])
    loop.iterate()
    assert order == [first, second, third]


def test_queue_starts_a_limited_number_per_iteration(queue, busy, order, loop):
    make(queue, order, MAX_STARTED + 2)
    for handshake in busy:
        queue.finished(handshake)

    loop.iterate()
    assert len(order) == MAX_STARTED

    loop.iterate()
    assert len(order) == MAX_STARTED + 2


def test_queue_drops_a_handshake_that_has_left(queue, busy, order, loop):
    first, second = make(queue, order, 2)

    queue.leave(first)
    queue.finished(busy[0])
    loop.iterate()

    assert order == [second]
    assert len(queue) == 0


def test_handshake_that_finishes_twice_makes_room_once(queue, busy, order, loop):
    make(queue, order, 2)

    queue.finished(busy[0])
    queue.finished(busy[0])
    loop.iterate()

    assert len(order) == 1


def test_queue_continues_after_requests_that_are_no_handshakes(
    queue, busy, order, loop
):
    handshakes = make(queue, order, 2 * MAX_SERVED, OtherRequest)

    for handshake in busy:
        queue.finished(handshake)
    while loop:
        loop.iterate()

    assert order == handshakes


def test_queue_continues_after_a_failure(queue, busy, order, loop):
    make(queue, order, 1, Broken)
    (sound,) = make(queue, order, 1)

    queue.finished(busy[0])
    with pytest.raises(ValueError):
        loop.iterate()
    loop.iterate()

    assert order == [sound]


def test_queue_is_full_while_the_oldest_has_waited_too_long(
    queue, busy, order, loop, monkeypatch
):
    """The rate may be of better times."""
    fast = HandshakeQueue(lambda: 1e6, loop.append)
    make(fast, order, MIN_LENGTH)
    assert not fast.is_full()

    monkeypatch.setattr("realtime.server.handshake_queue.MAX_WAIT_S", 0)

    assert fast.is_full()


def test_queue_is_full_when_another_would_wait_too_long(loop, order):
    queue = HandshakeQueue(lambda: 2.0 * MIN_LENGTH, loop.append)
    make(queue, order, int(MAX_WAIT_S * 2 * MIN_LENGTH) - 1)
    assert not queue.is_full()

    make(queue, order, 1)

    assert queue.is_full()


def test_slow_process_still_queues_some(queue, order):
    make(queue, order, MIN_LENGTH - 1)
    assert not queue.is_full()

    make(queue, order, 1)

    assert queue.is_full()


def test_queue_counts_the_handshakes_of_each_address(queue, busy, order, loop):
    queue.join(first := Handshake(queue, order), HERE)
    queue.join(second := Handshake(queue, order), HERE)
    queue.join(Handshake(queue, order), THERE)
    assert queue.waiting_from(HERE) == 2

    queue.leave(second)
    queue.finished(busy[0])
    loop.iterate()

    assert order == [first]
    assert (queue.waiting_from(HERE), queue.waiting_from(THERE)) == (0, 1)
