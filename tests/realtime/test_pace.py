"""How long a crowd takes to come back."""

import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

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

MANY = 150  # samples, after which a first guess no longer counts


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
    *,
    share: float = 1.0,
    others_wait: Iterable[bool] = (False,),
    samples: int = MANY,
    **passing: float,
) -> float:
    """The rate of a process that needs what `passing` says for each socket."""
    clocks, waits = Passing(), list(others_wait)
    pace = Pace(lambda: share, clocks)
    for number in range(SAMPLE * samples + 1):
        pace.opened(others_wait=waits[number % len(waits)])
        clocks.advance(**passing)
    return pace.rate


def test_spread_grows_with_the_crowd():
    pace = Pace()

    assert pace.spread_ms(0) == 0
    assert pace.spread_ms(300) == round(300_000 / (USABLE * FIRST_RATE))
    assert pace.spread_ms(3000) == pytest.approx(10 * pace.spread_ms(300), rel=0.01)


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


def test_rate_is_that_of_many_sockets_however_uneven_their_times():
    clocks = Passing()
    pace = Pace(clocks=clocks)
    for number in range(SAMPLE * MANY + 1):
        pace.opened(others_wait=False)
        is_slow = number // SAMPLE % 2 == 0
        clocks.advance(clock=0.004, cpu=0.0005, delay=0.003 if is_slow else 0)

    assert pace.rate == pytest.approx(500, rel=0.1)


def test_rate_is_learned_from_few_samples():
    assert learned_rate(samples=10, clock=0.002, cpu=0.0005) > 0.5 * 2000


def test_rate_hardly_follows_a_single_sample():
    clocks = Passing()
    pace = Pace(clocks=clocks)
    for number in range(SAMPLE * MANY + 1):
        is_last = number >= SAMPLE * (MANY - 1)
        pace.opened(others_wait=False)
        clocks.advance(clock=0.004, cpu=0.0005, delay=0.003 if is_last else 0)

    assert 1500 < pace.rate < 2000


def test_delay_by_siblings_is_counted_once():
    rate = learned_rate(share=0.5, clock=0.002, cpu=0.0005, delay=0.0005)

    assert rate == pytest.approx(1000, rel=0.01)


def test_time_without_cpu_does_not_count():
    rate = learned_rate(clock=0.019, cpu=0.0005)

    assert rate == pytest.approx(2000, rel=0.01)


def test_cpu_of_other_work_while_few_sockets_come_does_not_count():
    rate = learned_rate(clock=1, cpu=0.2)

    assert rate == FIRST_RATE


def test_rate_falls_while_sockets_wait_however_few_are_opened():
    rate = learned_rate(others_wait=[True], clock=1, cpu=0.2)

    assert rate == pytest.approx(1, rel=0.01)


def test_clock_time_counts_while_sockets_wait():
    rate = learned_rate(others_wait=[True], clock=0.002, cpu=0.0005)

    assert rate == pytest.approx(500, rel=0.01)


def test_clock_time_does_not_count_if_nobody_waited_for_a_part_of_the_sample():
    rate = learned_rate(others_wait=[True, False], clock=0.002, cpu=0.0005)

    assert rate == pytest.approx(2000, rel=0.01)


def test_clocks_count_the_processor_time_of_other_threads():
    before = read_clocks()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_compute, seconds=0.05).result()

    assert read_clocks().cpu - before.cpu >= 0.05


def _compute(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


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
