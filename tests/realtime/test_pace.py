"""How long a crowd takes to come back."""

import subprocess
import sys
import time
from collections.abc import Iterable

import pytest

from realtime.pace import (
    FIRST_RATE,
    MAX_SPREAD_MS,
    SAMPLE,
    SCHEDULER,
    USABLE,
    Clocks,
    Pace,
    read_clocks,
)
from realtime.pulse import PROCESSORS

MANY = 30  # samples, after which a first guess no longer counts


class Passing:
    """Clocks that a test moves."""

    def __init__(self) -> None:
        self.now = Clocks(0, 0, 0)

    def __call__(self) -> Clocks:
        return self.now

    def advance(self, clock: float, cpu: float = 0, delay: float = 0) -> None:
        steps = (clock, cpu, delay)
        self.now = Clocks(*(now + step for now, step in zip(self.now, steps)))


def learned_rate(
    *, share: float = 1.0, others_wait: Iterable[bool] = (False,), **passing: float
) -> float:
    """The rate of a process that needs what `passing` says for each socket."""
    clocks, waits = Passing(), list(others_wait)
    pace = Pace(lambda: share, clocks)
    for number in range(SAMPLE * MANY + 1):
        pace.opened(others_wait=waits[number % len(waits)])
        clocks.advance(**passing)
    return pace.rate


def test_spread_grows_with_the_crowd():
    pace = Pace()

    assert pace.spread_ms(0) == 0
    assert pace.spread_ms(300) == round(300_000 / (USABLE * FIRST_RATE))
    assert pace.spread_ms(600) == 2 * pace.spread_ms(300)


def test_spread_has_a_limit():
    assert Pace().spread_ms(10**9) == MAX_SPREAD_MS


def test_rate_follows_the_processor_time_of_a_socket():
    rate = learned_rate(clock=0.002, cpu=0.0005)

    assert rate == pytest.approx(2000, rel=0.01)


def test_rate_is_lower_where_processes_share_a_processor():
    rate = learned_rate(share=0.25, clock=0.002, cpu=0.0005)

    assert rate == pytest.approx(500, rel=0.01)


def test_rate_is_lower_while_other_programs_use_the_processors():
    rate = learned_rate(clock=0.002, cpu=0.0005, delay=0.0005)

    assert rate == pytest.approx(1000, rel=0.01)


def test_delay_by_siblings_is_counted_once():
    rate = learned_rate(share=0.5, clock=0.002, cpu=0.0005, delay=0.0005)

    assert rate == pytest.approx(1000, rel=0.01)


def test_time_without_sockets_does_not_count():
    busy = learned_rate(clock=0.0005, cpu=0.0005)
    idle = learned_rate(clock=5, cpu=0.0005)

    assert idle == pytest.approx(busy)


def test_clock_time_counts_while_sockets_wait():
    rate = learned_rate(others_wait=[True], clock=0.002, cpu=0.0005)

    assert rate == pytest.approx(500, rel=0.01)


def test_clock_time_does_not_count_if_nobody_waited_for_a_part_of_the_sample():
    rate = learned_rate(others_wait=[True, False], clock=0.002, cpu=0.0005)

    assert rate == pytest.approx(2000, rel=0.01)


def test_clocks_count_the_processor_time_of_this_thread():
    before = read_clocks()
    while time.thread_time() < before.cpu + 0.05:
        pass
    after = read_clocks()

    assert 0.05 <= after.cpu - before.cpu <= after.clock - before.clock


if SCHEDULER.exists():  # macOS has no record of how long a thread waits

    def test_clocks_count_the_delay_that_other_programs_cause():
        loop = [sys.executable, "-c", "while True: pass"]
        others = [subprocess.Popen(loop) for _ in range(2 * PROCESSORS)]
        before = after = read_clocks()
        try:
            while after.clock < before.clock + 30 and after.delay - before.delay < 0.05:
                after = read_clocks()
        finally:
            for other in others:
                other.kill()
                other.wait()

        assert after.delay - before.delay >= 0.05
