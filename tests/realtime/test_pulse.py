"""What is kept of the metrics for the pulse page."""

import asyncio
import os

import pytest

from realtime import metrics, pulse, roles
from realtime.pulse import Sample
from tests.servers import wait_until

SOON_S = 20


def buckets(*counts: float) -> pulse.Buckets:
    """Up to 0.1 s, up to 1 s, longer: cumulative, as Prometheus counts."""
    return tuple(zip((0.1, 1.0, float("inf")), counts, strict=True))


def sample(at: float, counts: pulse.Buckets = buckets(0, 0, 0), **sums) -> Sample:
    return Sample(at, sums, {"tick": counts})


@pytest.fixture(autouse=True)
def _nothing_noted_before(monkeypatch):
    monkeypatch.setattr(pulse, "_samples", ())


@pytest.mark.parametrize(
    "share, counts, seconds",
    [
        (0.5, (10, 10, 10), 0.05),
        (0.5, (0, 10, 10), 0.55),
        (0.99, (98, 100, 100), 0.55),
        (0.99, (0, 0, 10), 1.0),  # longer than all buckets: at least the last one
        (0.99, (0, 0, 0), None),
    ],
)
def test_quantile_of_what_was_timed_in_between(share, counts, seconds):
    older = sample(0, buckets(7, 8, 9))
    added = [n + m for n, m in zip((7, 8, 9), counts, strict=True)]

    found = pulse.quantile("tick", share, older, sample(2, buckets(*added)))

    assert found == (seconds if seconds is None else pytest.approx(seconds))


def test_rates_are_by_the_second_and_know_what_is_missing():
    noted = (sample(0, frames=5), sample(2, frames=25), sample(3, frames=25))

    assert pulse.rates("frames", noted) == [10, 0]
    assert pulse.rates("cpu", noted) == [None, None]


def test_rate_between_moments_that_are_close_says_nothing():
    """The system's clock has gone on by a hundredth, which would be 1,000 %."""
    older, newer = sample(0, cpu=1.00), sample(0.001, cpu=1.01)

    assert pulse.rate("cpu", older, newer) is None


def test_note_takes_what_the_metrics_count_over_all_labels():
    pulse.note()
    metrics.REFUSALS.labels("pulse-a").inc(2)
    metrics.REFUSALS.labels("pulse-b").inc()
    metrics.TICK.observe(0.02)

    pulse.note()

    older, newer = pulse.samples()
    assert newer.sums["refusals"] - older.sums["refusals"] == 3
    assert 0.01 < pulse.quantile("tick", 0.99, older, newer) <= 0.025


def test_note_for_hours_keeps_two_minutes():
    for _ in range(3 * pulse.KEPT):
        pulse.note()

    assert len(pulse.samples()) == pulse.KEPT


def test_samples_before_the_first_socket_are_of_now():
    (only,) = pulse.samples()

    assert set(pulse.SUMS) <= set(only.sums)
    assert set(only.times) == set(pulse.TIMES)


@pytest.mark.django_db(transaction=True)
def test_hub_that_runs_notes_the_numbers_though_nobody_looks(hub, monkeypatch):
    monkeypatch.setattr(pulse, "EVERY_S", 0.01)

    wait_until(lambda: len(pulse._samples) > 2, "notes", SOON_S)


# --- Processes that serve one kind ------------------------------------------------


async def test_process_of_sockets_shares_its_numbers_and_one_of_pages_shows_them(
    monkeypatch,
):
    monkeypatch.setattr(roles, "_role", "sockets")
    beats = asyncio.create_task(pulse.beat())
    try:
        async with asyncio.timeout(SOON_S):
            while not (found := await asyncio.to_thread(pulse.shared)):
                await asyncio.sleep(0.01)
    finally:
        beats.cancel()
    assert [process.pid for process in found] == [os.getpid()]

    other = found[0]._replace(pid=1, host="elsewhere")
    await asyncio.to_thread(pulse.share, other)
    monkeypatch.setattr(roles, "_role", "pages")
    seen = {(await asyncio.to_thread(pulse.shown)).pid for _ in range(100)}
    assert seen == {1, os.getpid()}


def test_process_that_serves_sockets_too_shows_its_own_numbers():
    pulse.share(pulse.own()._replace(pid=1))

    assert pulse.shown().pid == os.getpid()


def test_process_that_is_gone_is_shown_no_more(monkeypatch):
    pulse.share(pulse.own()._replace(pid=1))
    monkeypatch.setattr(roles, "_role", "pages")
    assert pulse.shown().pid == 1

    monkeypatch.setattr(pulse, "SHARED_S", 0)
    assert pulse.shown().pid == os.getpid()
