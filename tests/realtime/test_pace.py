"""How long a crowd takes to come back."""

import time

from realtime.pace import FIRST_RATE, MOST_MS, SAMPLE, USED, Pace

BURST_S = 0.0005


def burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_spread_grows_with_the_crowd():
    pace = Pace()

    assert pace.spread_ms(0) == 0
    assert pace.spread_ms(300) == round(300_000 / (USED * FIRST_RATE))
    assert pace.spread_ms(600) == 2 * pace.spread_ms(300)


def test_spread_has_a_limit():
    assert Pace().spread_ms(10**9) == MOST_MS


def test_rate_is_learned_from_the_processor_that_sockets_take():
    pace = Pace()

    for _ in range(SAMPLE * 20 + 1):
        pace.opened(others_wait=False)
        burn(BURST_S)

    assert 0.5 / BURST_S < pace.rate < 1 / BURST_S


def test_rate_is_lower_where_processes_share_a_processor():
    alone, crowded = Pace(), Pace(lambda: 0.25)
    for pace in (alone, crowded):
        for _ in range(SAMPLE * 20 + 1):
            pace.opened(others_wait=False)
            burn(BURST_S)

    assert 0.7 < 4 * crowded.rate / alone.rate < 1.4


def test_time_without_sockets_counts_for_nothing():
    idle, busy = Pace(), Pace()
    for pace, pause in ((busy, 0), (idle, BURST_S)):
        for _ in range(SAMPLE * 5 + 1):
            pace.opened(others_wait=False)
            burn(BURST_S)
            time.sleep(pause)  # nobody comes

    assert 0.7 < idle.rate / busy.rate < 1.4


def test_time_that_others_use_counts_while_sockets_wait():
    pace = Pace()

    for _ in range(SAMPLE * 10 + 1):
        pace.opened(others_wait=True)
        time.sleep(BURST_S)

    assert pace.rate < 1 / BURST_S
    assert pace.rate > FIRST_RATE
