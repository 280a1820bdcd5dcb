"""What a load test knows of the server, and of itself."""

import asyncio
import time

import pytest

from realtime.loadtest import report, report_text, server_metrics, vitals
from realtime.loadtest.gates import Verdict
from realtime.loadtest.ledger import Ledger
from tests.realtime.loadtest.runs import answering, make_run

MEMORY = "process_resident_memory_bytes 1048576"
CPU = "process_cpu_seconds_total"
LATENESS = [(0.05, 200, False), (0.15, 3, False), (0.15, 40, True), (1.1, 1, True)]


def vitals_of(*texts: str) -> vitals.Vitals:
    """Return the vitals of a server that reported these texts, a second apart."""
    measured = vitals.Vitals("http://localhost", Ledger())
    measured.rows = {vitals.WHOLE: rows_of(*texts)}
    return measured


def rows_of(*texts: str) -> list[dict[str, float]]:
    return [{"at": at} | server_metrics.parse(text) for at, text in enumerate(texts)]


def lags(short: int, long: int) -> str:
    name = "shop_loop_lag_seconds_bucket"
    buckets = (0.01, short), (0.5, short + long), ("+Inf", short + long)
    return "\n".join(f'{name}{{le="{edge}"}} {count}' for edge, count in buckets)


def test_loop_lag_before_the_test_does_not_count():
    busy_at_its_start = lags(short=0, long=50)

    quiet = vitals_of(busy_at_its_start, lags(short=1000, long=50))
    busy = vitals_of(busy_at_its_start, lags(short=1000, long=80))

    assert quiet.figures()["server_loop_lag_ms"] == 10
    assert busy.figures()["server_loop_lag_ms"] == 500


def test_figures_of_mixed_processes_are_left_out_with_a_note():
    several = [f"process_start_time_seconds {at}\n{MEMORY}" for at in (1, 2, 1)]
    one = [f"process_start_time_seconds 1\n{MEMORY}"] * 3

    assert vitals_of(*one).figures()["server_memory_mb"] == 1
    assert "server_memory_mb" not in vitals_of(*several).figures()
    test = make_run()
    test.vitals = vitals_of(*several)
    assert "More than one process" in " ".join(report.notes(test))


def test_figures_of_named_processes_are_added_up_and_listed():
    test = make_run()
    test.vitals = measured = vitals.Vitals("http://localhost", Ledger())
    measured.roles = {"pages.1": "pages", "pages.2": "pages", "sockets.1": "sockets"}
    spent = {"pages.1": 0.4, "pages.2": 0.2, "sockets.1": 0.3}
    measured.rows = {
        name: rows_of(
            f"process_start_time_seconds {number}\n{MEMORY}\n{CPU} 1",
            f"process_start_time_seconds {number}\n{MEMORY}\n{CPU} {1 + seconds}\n"
            + lags(short=10, long=10 * number),
        )
        for number, (name, seconds) in enumerate(spent.items())
    }
    test.figures = figures = measured.figures()
    table = report_text.table(test, Verdict.PASSED, [], report.notes(test))

    assert figures["server_cpu_percent"] == pytest.approx(90)
    assert figures["server_pages_cpu_percent"] == pytest.approx(60)
    assert figures["server_sockets_cpu_percent"] == pytest.approx(30)
    assert figures["server_memory_mb"] == 3
    assert figures["server_loop_lag_ms"] == 500, "the largest"
    assert "pages.2 (pages)" in table and "CPU 20 %, 1 MB" in table
    assert "No figures from" not in table
    assert measured.processes()["sockets.1"]["cpu_percent"] == pytest.approx(30)


def test_process_without_figures_is_named():
    test = make_run(
        "--metrics", "http://127.0.0.1:8001/metrics", "--metrics", "unix:/a/b.1"
    )
    test.vitals.rows["b.1"] = rows_of(MEMORY)

    assert "No figures from 127.0.0.1:8001" in " ".join(report.notes(test))


async def test_loop_that_stands_still_is_noticed_even_at_the_end():
    measured = vitals.Vitals("http://localhost:9", Ledger())
    measured._since -= 60
    watching = asyncio.create_task(measured.watch())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    time.sleep(1.2)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert measured.is_overloaded
    assert measured.lag.all.most > 1


@pytest.mark.parametrize("late_s, times, is_overloaded", LATENESS)
def test_generator_is_overloaded_when_its_delays_add_up_to_a_second(
    late_s, times, is_overloaded
):
    measured = vitals.Vitals("http://localhost:9", Ledger())
    measured._since -= 60
    for n in range(times):
        measured.lag.add(n * 10 / times, late_s)

    assert measured.is_overloaded == is_overloaded


@pytest.mark.parametrize("ahead_s", [-3600.0, 0.0, 5.0])
async def test_clock_of_the_server_is_known_within_its_error(ahead_s):
    ledger = Ledger()

    async with answering(lambda: f'{{"now": {time.time() + ahead_s}}}') as (url, _):
        measured = vitals.Vitals(url, ledger)
        await measured.set_clock()

    assert abs(ledger.offset - ahead_s) <= measured.clock_error + 0.001


async def test_difference_of_clocks_below_its_error_is_ignored():
    """Behind nginx there is only the Date header, which counts seconds: pushes would
    seem late by up to half a second."""
    ledger = Ledger()

    async with answering(lambda: "[]", has_date=True) as (url, _):
        measured = vitals.Vitals(url, ledger)
        await measured.set_clock()

    assert measured.clock_error > 0.5
    assert ledger.offset == 0


async def test_unknown_clock_of_the_server_is_taken_to_be_ours():
    ledger = Ledger()

    async with answering(lambda: "[]") as (url, _):
        measured = vitals.Vitals(url, ledger)
        await measured.set_clock()

    assert measured.clock_error is None
    assert ledger.offset == 0
