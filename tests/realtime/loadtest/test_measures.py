"""Durations and percentiles of a load test."""

import random

import pytest

from realtime.loadtest.measures import Times, slope


@pytest.mark.parametrize("percent", [50, 95, 99, 100])
def test_percentile_is_at_most_one_percent_too_high(percent):
    chance = random.Random(7)
    exact = sorted(chance.lognormvariate(-4, 1) for _ in range(5000))
    times = Times()
    for seconds in exact:
        times.add(seconds)

    percentile = times.percentile(percent)

    truth = exact[-(-5000 * percent // 100) - 1]
    assert truth * 0.999999 <= percentile <= truth * 1.0101


def test_percentile_of_nothing_is_none():
    assert Times().percentile(99) is None
    assert Times().summary()["p99"] is None


def test_many_times_take_no_more_memory_than_some():
    times = Times()
    for n in range(1, 100_000):
        times.add(n / 10_000)

    assert len(times._buckets) < 2000


def test_slope_of_a_straight_line_is_its_steepness():
    assert slope([(t, 5 + 3 * t) for t in range(10)]) == pytest.approx(3)
    assert slope([(1, 1), (2, 2)]) is None
