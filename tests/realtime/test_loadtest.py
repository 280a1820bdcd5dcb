"""The load test's own arithmetic: percentiles, gates, limits, the wire."""

import argparse
import asyncio
import contextlib
import email.utils
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime import protocol
from realtime.loadtest import (
    command,
    merging,
    options,
    phases,
    report,
    shoppers,
    visit,
    vitals,
    watchers,
    wire,
)
from realtime.loadtest.gates import Verdict, expectation, judge
from realtime.loadtest.measures import Times, slope
from tests.support.schema import DOCUMENT

ROOT = Path(protocol.__file__).parent.parent


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    options.add_to(parser)
    found = parser.parse_args(arguments)
    options.check(found)
    return found


# --- Figures ----------------------------------------------------------------------


@pytest.mark.parametrize("percent", [50, 95, 99, 100])
def test_percentile_of_many_times_is_at_most_one_percent_above_the_exact_one(percent):
    chance = random.Random(7)
    exact = sorted(chance.lognormvariate(-4, 1) for _ in range(5000))
    times = Times()
    for seconds in exact:
        times.add(seconds)

    found = times.percentile(percent)

    truth = exact[-(-5000 * percent // 100) - 1]
    assert truth * 0.999999 <= found <= truth * 1.0101


def test_percentile_of_nothing_is_none():
    assert Times().percentile(99) is None
    assert Times().summary()["p99"] is None


def test_times_of_a_million_take_no_more_room_than_of_a_thousand():
    times = Times()
    for n in range(1, 100_000):
        times.add(n / 10_000)

    assert len(times._buckets) < 2000


def test_slope_of_a_straight_line_is_its_steepness():
    assert slope([(t, 5 + 3 * t) for t in range(10)]) == pytest.approx(3)
    assert slope([(1, 1), (2, 2)]) is None


# --- Gates ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, value, is_met",
    [
        ("push_p99<150ms", 149.9, True),
        ("push_p99<150ms", 150, False),
        ("push_p99<=150ms", 150, True),
        ("push_p99 < 0.15s", 149, True),
        ("push_p99<150", 151, False),
        ("storm_s<5s", 4.9, True),
        ("storm_s<5", 5.1, False),
        ("storm_s<5000ms", 5.1, False),
        ("orders>=10", 10, True),
        ("orders>10", 10, False),
        ("gaps<1", 0, True),
        ("server_cpu_percent<90%", 91, False),
        ("server_loop_lag_ms<50ms", 51, False),
    ],
)
def test_expectation_compares_the_figure_with_its_limit(text, value, is_met):
    expected = expectation(text)

    assert (expected.complaint({expected.name: value}) is None) == is_met


def test_expectation_of_what_was_not_measured_is_not_met():
    assert "not measured" in expectation("order_p99<1s").complaint({"order_p99": None})


@pytest.mark.parametrize(
    "text", ["push_p99", "push_p99=3", "pish_p99<3ms", "orders<3ms", "", "push_p99<-1"]
)
def test_expectation_that_means_nothing_is_refused(text):
    with pytest.raises(ValueError):
        expectation(text)


@pytest.mark.parametrize(
    "wrong, push, cut_short, verdict",
    [
        ([], 1, None, Verdict.PASSED),
        ([], 9, None, Verdict.TOO_SLOW),
        (["An order is lost."], 9, None, Verdict.INCORRECT),
        ([], 9, Verdict.UNFINISHED, Verdict.UNFINISHED),
        (["An order is lost."], 1, Verdict.UNFINISHED, Verdict.INCORRECT),
        (["An order is lost."], 1, Verdict.UNREACHABLE, Verdict.UNREACHABLE),
        (["An order is lost."], 1, Verdict.INTERRUPTED, Verdict.INTERRUPTED),
    ],
)
def test_verdict_tells_the_gravest_of_what_was_found(wrong, push, cut_short, verdict):
    limits = [expectation("push_p99<5ms")]
    why = cut_short and (cut_short, "It ended early.")

    code, sentences = judge(wrong, {"push_p99": push}, limits, why)

    assert code == verdict
    assert bool(sentences) == (verdict != Verdict.PASSED)


def test_exit_codes_of_the_gates_differ():
    assert len({int(verdict) for verdict in Verdict} | {1, 2}) == len(Verdict) + 2


# --- Flags ------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["example.com", "192.0.2.7", "0.0.0.0"])
def test_target_elsewhere_without_its_name_repeated_is_refused(host):
    url = f"http://{host}:8000"

    with pytest.raises(ValueError, match="--i-own-this-host"):
        parsed("--url", url)
    with pytest.raises(ValueError, match="--i-own-this-host"):
        parsed("--url", url, "--i-own-this-host", "another.example")

    assert parsed("--url", url, "--i-own-this-host", host).url == url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_target_on_this_machine_needs_no_word(host):
    assert parsed("--url", f"http://{host}:8000/").url == f"http://{host}:8000"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--sockets", "1000001"),
        ("--sockets", "0"),
        ("--rate", "0"),
        ("--rate", "5001"),
        ("--duration", "3601"),
        ("--duration", "inf"),
        ("--phases", "connect,nap"),
        ("--expect", "speed<3"),
        ("--limit", "0"),
        ("--hidden", "1.1"),
        ("--hidden", "-0.1"),
        ("--hidden", "nan"),
        ("--limit", "99999"),
    ],
)
def test_flag_beyond_its_limits_is_refused(arguments):
    with pytest.raises(argparse.ArgumentError):
        parsed(*arguments)


@pytest.mark.parametrize("file", ["/nowhere/at/all.json", "/tmp"])
def test_file_that_cannot_be_written_is_refused_before_anything_is_measured(file):
    with pytest.raises(ValueError, match="cannot be written"):
        parsed("--json", file)


@pytest.mark.parametrize("url", ["http://localhost/?a=b", "http://localhost/shop#a"])
def test_target_with_more_than_a_path_is_refused(url):
    with pytest.raises(ValueError, match="leave out what follows the path"):
        parsed("--url", url)


def test_target_with_a_path_keeps_it():
    assert parsed("--url", "http://localhost/shop/").url == "http://localhost/shop"


def test_phases_keep_their_order_and_always_connect_and_drain():
    assert parsed("--phases", "storm,fanout").phases == (
        *("connect", "fanout", "storm", "drain"),
    )


def test_sockets_past_the_ports_of_an_address_come_from_several():
    assert parsed("--sockets", "28000").source == []
    assert parsed("--sockets", "28001").source == ["127.0.0.1", "127.0.0.2"]
    with pytest.raises(ValueError, match="--source"):
        parsed("--sockets", "60000", "--source", "127.0.0.1")


def test_help_works_with_python_alone():
    """No Django, nothing installed: `-S` hides site-packages."""
    command = [sys.executable, "-S", "-m", "realtime.loadtest", "--help"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "--i-own-this-host" in done.stdout


# --- What is heard ----------------------------------------------------------------


@pytest.mark.parametrize("example", DOCUMENT["info"]["x-digests"], ids=str)
def test_digest_is_the_one_of_the_protocol(example):
    topics = example["topics"]

    assert watchers.digest(topics, topics) == example["digest"]


def test_ledger_blames_a_change_on_the_only_request_under_way():
    ledger = watchers.Ledger()
    start = ledger.begin("stock:1")

    frame = ledger.read(b'{"t":"upd","items":[["stock:1",2,{"available":3}]]}')

    assert frame.start == start


def test_ledger_blames_nobody_when_two_may_have_done_it():
    ledger = watchers.Ledger()
    ledger.begin("stock:1"), ledger.begin("stock:1")

    frame = ledger.read(b'{"t":"upd","items":[["stock:1",2,{"available":3}]]}')

    assert frame.start is None


def test_ledger_takes_the_commits_time_and_puts_the_servers_clock_right():
    ledger = watchers.Ledger()
    ledger.offset = 2.0
    ledger.begin("stock:1")

    frame = ledger.read(
        b'{"t":"upd","ts":10000,"items":[["stock:1",2,{"available":3}]]}'
    )

    assert frame.start == 8.0
    assert ledger.uses_commit_times


def test_card_of_a_page_tells_topic_and_version():
    html = '<div class="stock" data-topic="stock:12" data-version="7">'

    assert shoppers.CARD.findall(html) == [("stock:12", "12", "7")]


def test_metrics_are_added_up_and_the_loops_lag_is_kept_by_bucket():
    text = "\n".join(
        [
            "# HELP shop_sockets Sockets",
            'shop_sockets{kind="guest"} 3.0',
            'shop_sockets{kind="person"} 2.0',
            "process_resident_memory_bytes 1.5e+06",
            'shop_loop_lag_seconds_bucket{le="0.01"} 90.0',
            'shop_loop_lag_seconds_bucket{le="0.05"} 99.0',
            'shop_loop_lag_seconds_bucket{le="+Inf"} 100.0',
        ]
    )

    assert vitals.parse(text) == {
        "shop_sockets": 5,
        "process_resident_memory_bytes": 1.5e6,
        "shop_loop_lag_seconds_le_0.01": 90,
        "shop_loop_lag_seconds_le_0.05": 99,
        "shop_loop_lag_seconds_le_inf": 100,
    }


def told(*texts: str) -> vitals.Vitals:
    """Vitals of a server that told this, a second apart."""
    found = vitals.Vitals("http://localhost", watchers.Ledger())
    found.rows = {vitals.WHOLE: told_by(*texts)}
    return found


def told_by(*texts: str) -> list[dict[str, float]]:
    return [{"at": at} | vitals.parse(text) for at, text in enumerate(texts)]


def lags(short: int, long: int) -> str:
    name = "shop_loop_lag_seconds_bucket"
    buckets = (0.01, short), (0.5, short + long), ("+Inf", short + long)
    return "\n".join(f'{name}{{le="{edge}"}} {count}' for edge, count in buckets)


def test_loops_lag_before_the_test_began_does_not_count():
    busy_at_its_start = lags(short=0, long=50)

    quiet = told(busy_at_its_start, lags(short=1000, long=50))
    busy = told(busy_at_its_start, lags(short=1000, long=80))

    assert quiet.figures()["server_loop_lag_ms"] == 10
    assert busy.figures()["server_loop_lag_ms"] == 500


def test_figures_of_several_processes_are_left_out_and_that_is_said():
    several = [f"process_start_time_seconds {at}\n{MEMORY}" for at in (1, 2, 1)]
    one = [f"process_start_time_seconds 1\n{MEMORY}"] * 3

    assert told(*one).figures()["server_memory_mb"] == 1
    assert "server_memory_mb" not in told(*several).figures()
    test = run()
    test.vitals = told(*several)
    assert "More than one process" in " ".join(report.notes(test))


MEMORY = "process_resident_memory_bytes 1048576"


def test_figures_of_named_processes_are_added_up_and_told_apart():
    test = run()
    test.vitals = found = vitals.Vitals("http://localhost", watchers.Ledger())
    found.roles = {"pages.1": "pages", "pages.2": "pages", "sockets.1": "sockets"}
    spent = {"pages.1": 0.4, "pages.2": 0.2, "sockets.1": 0.3}
    found.rows = {
        name: told_by(
            f"process_start_time_seconds {number}\n{MEMORY}\n{CPU} 1",
            f"process_start_time_seconds {number}\n{MEMORY}\n{CPU} {1 + seconds}\n"
            + lags(short=10, long=10 * number),
        )
        for number, (name, seconds) in enumerate(spent.items())
    }
    test.figures = figures = found.figures()
    table = report.table(test, Verdict.PASSED, [])

    assert figures["server_cpu_percent"] == pytest.approx(90)
    assert figures["server_pages_cpu_percent"] == pytest.approx(60)
    assert figures["server_sockets_cpu_percent"] == pytest.approx(30)
    assert figures["server_memory_mb"] == 3
    assert figures["server_loop_lag_ms"] == 500, "that of the latest"
    assert "pages.2 (pages)" in table and "CPU 20 %, 1 MB" in table
    assert "told nothing" not in table
    assert found.processes()["sockets.1"]["cpu_percent"] == pytest.approx(30)


CPU = "process_cpu_seconds_total"


def test_process_that_told_nothing_is_named():
    test = run("--metrics", "http://127.0.0.1:8001/metrics", "--metrics", "unix:/a/b.1")
    test.vitals.rows["b.1"] = told_by(MEMORY)

    assert "127.0.0.1:8001 told nothing" in " ".join(report.notes(test))


@pytest.mark.parametrize(
    "address",
    [
        *("localhost:8001", "http://", "http://h/metrics/x", "http://h/metrics?a=b"),
        *("unix:run/a", "unix:", "ftp://h/metrics"),
    ],
)
def test_address_of_a_process_that_means_nothing_is_refused(address):
    with pytest.raises(argparse.ArgumentError):
        parsed("--metrics", address)


def test_process_that_is_named_twice_is_refused():
    with pytest.raises(ValueError, match="127.0.0.1:1 twice"):
        parsed("--metrics", "http://127.0.0.1:1", "--metrics", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    "url, is_that_shop",
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000/shop", True),
        ("http://localhost:8001", False),
    ],
)
def test_processes_of_a_make_run_of_this_folder_are_known(
    tmp_path, monkeypatch, url, is_that_shop
):
    monkeypatch.setenv("SHOP_LOCAL_DIR", str(tmp_path))
    socket, gone = tmp_path / "pages.1", tmp_path / "pages.2"
    socket.touch()
    note = {"url": "http://localhost:8000/shop", "sockets": [str(socket), str(gone)]}
    (tmp_path / "run.json").write_text(json.dumps(note))

    assert parsed("--url", url).metrics == ([f"unix:{socket}"] if is_that_shop else [])


@pytest.mark.parametrize("note", [None, "", '{"url": "http://localhost:8000"}'])
def test_without_a_note_of_processes_the_shop_itself_is_asked(
    tmp_path, monkeypatch, note
):
    monkeypatch.setenv("SHOP_LOCAL_DIR", str(tmp_path))
    if note is not None:
        (tmp_path / "run.json").write_text(note)

    assert list(run().vitals.rows) == [vitals.WHOLE]


LATENESS = [(0.05, 200, False), (0.15, 3, False), (0.15, 40, True), (1.1, 1, True)]

# --- A run ------------------------------------------------------------------------


def run(*arguments: str) -> phases.Run:
    return phases.Run(parsed(*arguments), lambda text: None)


@pytest.mark.parametrize("late_s, is_saturated", [(0.02, False), (0.3, True)])
def test_generator_that_cannot_keep_up_says_that_the_times_are_its_own(
    late_s, is_saturated
):
    test = run()
    test.vitals._since -= 60  # a minute, so that this process has idled
    for second in range(10):
        test.vitals.lag.add(second, late_s)

    test.figures = test.vitals.figures()

    assert test.figures["generator_is_saturated"] == is_saturated
    assert ("could not keep up" in " ".join(report.notes(test))) == is_saturated


def test_people_of_the_same_seed_have_the_same_luck_each_their_own():
    def luck(seed: int) -> list[float]:
        people = [("buyer", 0), ("buyer", 1), ("holder", "stock:1"), ("auditor",)]
        test = run("--seed", str(seed))
        return [test._chance(*who).random() for who in people]

    assert luck(6) == luck(6)
    assert len({*luck(6), *luck(7)}) == 8


def ordered(
    units: int, before: int, left: int, *flags: str, doubt: int = 0
) -> list[str]:
    """What is found wrong, so many units having been sold."""
    test = run(*flags)
    visit = shoppers.Visit("http://localhost")
    test.stock, test.ledger.units = {"stock:1": before}, {"stock:1": left}
    test.ledger.newest, test.truth = {"stock:1": 7}, {"stock:1": 7}
    test.placed = [shoppers.Placed(str(n), "stock:1", 1, visit) for n in range(units)]
    test.ledger.doubt["stock:1"] = doubt
    test.tally["finished"] = 1
    test._count()
    test.conclude()
    return test.wrong


@pytest.mark.parametrize("share, hidden", [("0", 0), ("0.8", 40), ("1", 50)])
def test_hidden_tabs_are_the_share_that_was_asked_for_spread_evenly(share, hidden):
    test = run("--hidden", share)

    found = [test._is_hidden(number) for number in range(50)]

    assert sum(found) == hidden
    assert {sum(found[start : start + 10]) for start in range(0, 50, 10)} == {
        hidden // 5
    }


def test_socket_of_a_hidden_tab_asks_for_a_pace_and_is_not_timed():
    ledger, asked = watchers.Ledger(), []
    watcher = watchers.Watcher("http://localhost", ["stock:1"], ledger)
    watcher.wire = SimpleNamespace(send=lambda payload: asked.append(payload))
    watcher.hide()

    watcher.subscribe()
    watcher._hear(b'{"t":"upd","ts":1000,"items":[["stock:1",2,{"available":3}]]}')

    assert json.loads(asked[0])["pace"] == watchers.PACE_MS
    assert (ledger.count["hidden_pushes"], ledger.push.all.count) == (1, 0)
    watcher.see()
    assert "pace" not in json.loads(asked[1])


def test_digest_in_a_frame_to_a_hidden_tab_is_compared():
    ledger, asked = watchers.Ledger(), []
    watcher = watchers.Watcher("http://localhost", ["stock:42"], ledger)
    watcher.wire = SimpleNamespace(send=lambda payload: asked.append(payload))
    items = '"items":[["stock:42",17,{"available":3}]]'
    frame = '{"t":"upd","digest":"%s","spread_ms":3000,' + items + "}"

    watcher._hear((frame % "c78b56ea").encode())
    assert (ledger.count["gaps"], watcher.spread_s) == (0, 3)

    watcher._hear((frame % "00000000").encode())
    assert (ledger.count["gaps"], len(asked)) == (1, 1)


def test_units_that_were_there_are_left_or_ordered_else_it_is_wrong():
    assert ordered(3, before=5, left=2) == []
    assert "oversold: 5 there, 6 ordered" in ordered(6, before=5, left=0)[0]
    assert "does not add up" in ordered(3, before=5, left=1)[0]
    assert ordered(3, 5, 1, "--shared") == []


def test_units_of_a_request_that_was_not_answered_may_be_gone_or_not():
    assert ordered(3, before=5, left=2, doubt=1) == []
    assert ordered(3, before=5, left=1, doubt=1) == []
    assert "does not add up" in ordered(3, before=5, left=0, doubt=1)[0]
    assert "does not add up" in ordered(3, before=5, left=3, doubt=1)[0]


async def test_socket_that_was_closed_for_good_is_missed_at_the_end():
    test = run()
    gone = watchers.Watcher("http://localhost:9", ["stock:1"], test.ledger)
    gone.shown, gone.is_live = {"stock:1": 1}, True
    gone.on_loss = test._bring_back
    test.watchers = [gone]

    gone._closed(4510)
    await test._wait_for_lost()
    test.conclude()

    assert test.ledger.count["unexpected_closes"] == 1
    assert test.late == ["1 sockets were closed (4510) and did not come back."]


async def test_sockets_that_stay_away_are_named_by_what_each_was_closed_with():
    test = run()
    for code in (1012, None, 1006, 1012):
        watcher = watchers.Watcher("http://localhost:9", ["stock:1"], test.ledger)
        watcher.shown, watcher.code = {"stock:1": 1}, code
        test.watchers.append(watcher)

    await test._wait_for_lost()
    test.conclude()

    assert test.late == [
        "4 sockets were closed (1006, 1012, None) and did not come back."
    ]


async def test_socket_that_cannot_be_opened_again_keeps_the_code_it_was_closed_with():
    watcher = watchers.Watcher("http://localhost:9", ["stock:1"], watchers.Ledger())
    watcher._closed(1012)

    assert not await watcher.open()

    assert watcher.code == 1012


# --- A generator that cannot keep up ------------------------------------------------


def fallen_behind(late_s: float, *flags: str) -> phases.Run:
    """A run at whose end sockets were missing and stale, our loop having been late."""
    test = run(*flags)
    test.vitals._since -= 60
    test.vitals.lag.add(3, late_s)
    test._count()
    test.tally["stray"], test.lasted["patience"] = 5, 30.0
    test.lost_codes, test.stale = Counter({"1012": 2}), Counter({"stock:1": 3})
    test.unanswered = ["ABCDEFGH"]
    test.ledger.push.add(3, late_s)
    return test


def test_generator_that_cannot_keep_up_blames_nobody_for_what_it_missed(capsys):
    test = fallen_behind(5.0, "--expect", "push_p99<1s", "--expect", "orders>0")

    code = command.conclude(test)

    said = capsys.readouterr().out
    assert code == Verdict.OVERLOADED
    assert "OVERLOADED, exit code 7" in said
    assert said.count("Not judged, as this program could not keep up: ") == 6


def test_generator_that_kept_up_blames_the_shop_for_the_same(capsys):
    test = fallen_behind(0.05, "--expect", "orders>0")

    assert command.conclude(test) == Verdict.INCORRECT
    assert "Not judged" not in capsys.readouterr().out


def test_generator_that_cannot_keep_up_still_finds_what_that_does_not_explain(capsys):
    test = fallen_behind(5.0)
    test.lost = ["HGFEDCBA"]

    code = command.conclude(test)

    assert code == Verdict.INCORRECT
    assert "Orders were confirmed and are lost: HGFEDCBA." in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, verdict",
    [
        ("memory_slope_kb_min<5", Verdict.TOO_SLOW),
        ("server_memory_mb<5", Verdict.TOO_SLOW),
        ("generator_lag_p99<5ms", Verdict.TOO_SLOW),
        ("generator_cpu_percent<5", Verdict.TOO_SLOW),
        ("push_p50<5ms", Verdict.OVERLOADED),
        ("server_loop_lag_ms<5ms", Verdict.OVERLOADED),
        ("failed_handshakes<5", Verdict.OVERLOADED),
    ],
)
def test_figures_that_do_not_come_from_a_late_loop_are_judged_all_the_same(
    text, verdict
):
    expected = expectation(text)
    figures = {expected.name: 9, "generator_is_saturated": True}

    assert judge([], figures, [expected])[0] == verdict
    assert judge([], figures, [expectation(text.replace("<", ">"))])[0] == 0


def test_figure_that_a_late_generator_did_not_get_is_not_judged():
    figures = {"memory_slope_kb_min": None, "generator_is_saturated": True}

    code, _ = judge([], figures, [expectation("memory_slope_kb_min<5")])

    assert code == Verdict.OVERLOADED


def test_time_that_was_up_as_the_generator_was_late_is_its_own_fault():
    why = Verdict.UNFINISHED, "The time was up."

    assert judge([], {"generator_is_saturated": True}, [], why)[0] == Verdict.OVERLOADED
    assert judge(["Lost."], {"generator_is_saturated": True}, [], why)[0] == 3


@pytest.mark.parametrize(
    "late_s, refusal, verdict",
    [
        (5.0, TimeoutError(), Verdict.OVERLOADED),
        (5.0, ConnectionRefusedError(), Verdict.UNREACHABLE),
        (0.05, TimeoutError(), Verdict.UNREACHABLE),
    ],
)
async def test_sockets_that_open_too_late_for_a_late_loop_are_not_missed(
    late_s, refusal, verdict
):
    async with answering(lambda: "a page") as (url, _):
        test = run("--url", url, "--sockets", "1", "--rate", "100")
        test.vitals._since -= 60
        test.vitals.lag.add(0, late_s)
        test.topics = {"stock:1": 1}
        test._arrive = lambda watchers: asyncio.sleep(0, 0)
        test.ledger.refusals[str(refusal) or type(refusal).__name__] += 1

        try:
            await test._go_through()
        except phases.Unreachable:
            found = Verdict.UNREACHABLE
        else:
            test._count()
            test.conclude()
            found, _ = judge(test.wrong, test.figures, [], test.cut_short, test.late)

    assert found == verdict


async def test_loop_that_stands_still_is_seen_even_by_one_who_is_ended_then():
    found = vitals.Vitals("http://localhost:9", watchers.Ledger())
    found._since -= 60
    watching = asyncio.create_task(found.watch())
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    time.sleep(1.2)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)

    assert found.is_overloaded
    assert found.lag.all.most > 1


@pytest.mark.parametrize("late_s, times, is_overloaded", LATENESS)
def test_loop_is_late_when_its_delays_of_ten_seconds_add_up_to_one(
    late_s, times, is_overloaded
):
    found = vitals.Vitals("http://localhost:9", watchers.Ledger())
    found._since -= 60
    for n in range(times):
        found.lag.add(n * 10 / times, late_s)

    assert found.is_overloaded == is_overloaded


def test_report_without_any_figure_is_still_written(tmp_path, capsys):
    files = [tmp_path / name for name in ("a.html", "a.json", "a.csv")]
    flags = [f"--{file.suffix[1:]}={file}" for file in files]

    command.conclude(run(*flags))

    assert "INCORRECT" not in capsys.readouterr().out
    assert all(file.stat().st_size for file in files)


def test_memory_that_the_server_does_not_tell_is_not_written_as_none_used():
    test = run()
    test.vitals.rows = {vitals.WHOLE: [{"at": 0.1}]}

    assert all("server_memory_mb" not in row for row in report.rows(test))


# --- Another database ---------------------------------------------------------------


def test_socket_on_another_timeline_takes_what_comes_for_newer():
    ledger = watchers.Ledger()
    watcher = watchers.Watcher("http://localhost", ["stock:1"], ledger)

    for timeline, version in (("a", 9), ("b", 3)):
        items = [["stock:1", version, {"available": version}]]
        frame = {"t": "snap", "id": 1, "timeline": timeline, "items": items}
        watcher._hear(json.dumps(frame).encode())

    assert (watcher.timeline, watcher.shown) == ("b", {"stock:1": 3})
    assert (ledger.newest, ledger.units) == ({"stock:1": 3}, {"stock:1": 3})


async def test_socket_says_on_which_timeline_it_is():
    end, _, _ = joined()
    watcher = watchers.Watcher("http://localhost", ["stock:1"], watchers.Ledger())
    watcher.wire, watcher.timeline = end, "5d41402abc4b2a76"

    watcher.subscribe()

    sent = end.transport.written
    assert b'"timeline": "5d41402abc4b2a76"' in sent


def test_socket_that_shows_a_database_that_is_gone_is_stale():
    test = run()
    test.topics = {"stock:1": 1}
    watcher = watchers.Watcher("http://localhost", ["stock:1"], test.ledger)
    watcher.is_live, watcher.shown, watcher.timeline = True, {"stock:1": 9}, "a"
    test.watchers, test.ledger.timeline = [watcher], "b"

    assert test._stale({"stock:1": 3}) == {"stock:1": 1}
    watcher.timeline = "b"
    assert test._stale({"stock:1": 3}) == {}


# --- Answers that are none ----------------------------------------------------------


@pytest.mark.parametrize("head", ["", "HTTP/1.1", "SSH-2.0-x", "HTTP/1.1 fine"])
async def test_answer_that_is_not_http_is_a_failure_like_others(head):
    reader = asyncio.StreamReader()
    reader.feed_data(f"{head}\r\n\r\n".encode())

    with pytest.raises(visit.FAILURES):
        await visit.read_answer(reader)


async def test_answer_whose_head_has_no_end_is_a_failure_like_others():
    reader = asyncio.StreamReader(limit=10)
    reader.feed_data(b"HTTP/1.1 200 OK\r\n" * 100)

    with pytest.raises(visit.FAILURES):
        await visit.read_answer(reader)


def test_metrics_that_are_cut_off_are_read_as_far_as_they_go():
    assert vitals.parse('shop_sockets\nshop_sockets{a="b"} 2\nshop_sockets ') == {
        "shop_sockets": 2
    }


@pytest.mark.parametrize(
    "loud, steady",
    [
        ([("fanout", 10, 50)], (30, 50)),
        ([("fanout", 10, 50), ("shopping", 50, 90)], (60, 90)),
        ([("fanout", 10, 250), ("shopping", 250, 490)], (280, 490)),
    ],
)
def test_memory_should_be_flat_in_the_second_half_once_its_phase_is_warm(loud, steady):
    assert phases._steady(loud) == steady


# --- Connections ------------------------------------------------------------------


@contextlib.asynccontextmanager
async def answering(
    text: Callable[[], str], has_date: bool = False
) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that says `text()` to whatever is asked: its URL, and who asked."""
    peers: list[str] = []
    answers: list[asyncio.Task] = []

    async def answer(reader, writer) -> None:
        answers.append(asyncio.current_task())
        peers.append(writer.get_extra_info("peername")[0])
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                body = text().encode()
                head = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
                if has_date:
                    head += f"\r\nDate: {email.utils.formatdate(usegmt=True)}"
                writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", peers
        await asyncio.gather(*answers)


@pytest.mark.parametrize("ahead_s", [-3600.0, 0.0, 5.0])
async def test_servers_clock_is_known_as_well_as_is_said(ahead_s):
    ledger = watchers.Ledger()

    async with answering(lambda: f'{{"now": {time.time() + ahead_s}}}') as (url, _):
        found = vitals.Vitals(url, ledger)
        await found.set_clock()

    assert abs(ledger.offset - ahead_s) <= found.clock_error + 0.001


async def test_difference_of_clocks_that_is_less_than_its_error_is_none():
    """Behind nginx there is only the Date header, which counts seconds: pushes would
    seem late by up to half a second."""
    ledger = watchers.Ledger()

    async with answering(lambda: "[]", has_date=True) as (url, _):
        found = vitals.Vitals(url, ledger)
        await found.set_clock()

    assert found.clock_error > 0.5
    assert ledger.offset == 0


async def test_servers_clock_that_is_not_told_is_not_made_up():
    ledger = watchers.Ledger()

    async with answering(lambda: "[]") as (url, _):
        found = vitals.Vitals(url, ledger)
        await found.set_clock()

    assert found.clock_error is None
    assert ledger.offset == 0


async def test_sockets_leave_from_the_address_they_are_given():
    ledger = watchers.Ledger()
    sources = ["127.0.0.2", "127.0.0.3"]

    async with answering(lambda: "no socket") as (url, peers):
        for source in sources:
            watcher = watchers.Watcher(url, ["stock:1"], ledger)
            watcher.source = source
            assert not await watcher.open()

    assert peers == sources
    assert ledger.refusals == {"HTTP/1.1 200 OK": 2}


# --- The wire ---------------------------------------------------------------------


class Line(asyncio.Transport):
    """What the wire writes, kept."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self._closing = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self._closing = True

    abort = close

    def is_closing(self) -> bool:
        return self._closing


def joined() -> tuple[wire.Wire, list[bytes], list[int]]:
    texts, codes = [], []
    end = wire.Wire(lambda key: b"", texts.append, codes.append)
    end.connection_made(Line())
    end._is_open = True
    end.opened.set_result(None)
    return end, texts, codes


def server_frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 1 << 16:
        return bytes([first, 126]) + size.to_bytes(2) + payload
    return bytes([first, 127]) + size.to_bytes(8) + payload


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
async def test_wire_hears_texts_whole_however_they_are_cut(size):
    end, texts, _ = joined()
    data = server_frame(0x81, b"a" * size) + server_frame(0x81, b"next")

    for at in range(0, len(data), max(1, len(data) // 7)):
        end.data_received(data[at : at + max(1, len(data) // 7)])

    assert texts == [b"a" * size, b"next"]


async def test_wire_joins_fragments_and_answers_a_ping_between_them():
    end, texts, _ = joined()

    end.data_received(server_frame(0x01, b"one ") + server_frame(0x89, b"?"))
    end.data_received(server_frame(0x80, b"two"))

    assert texts == [b"one two"]
    assert end.transport.written == wire.masked(wire.PONG, b"?")


async def test_wire_that_is_closed_answers_and_tells_the_code():
    end, _, codes = joined()

    end.data_received(server_frame(0x88, (4008).to_bytes(2) + b"why"))
    end.connection_lost(None)

    assert codes == [4008]
    assert end.transport.written == wire.masked(wire.CLOSE, (4008).to_bytes(2))


async def test_wire_that_was_cut_tells_1006():
    end, _, codes = joined()

    end.connection_lost(ConnectionResetError())

    assert codes == [1006]


async def test_wire_to_a_server_that_refuses_says_its_first_line():
    end = wire.Wire(lambda key: b"", [].append, [].append)
    end.connection_made(Line())

    end.data_received(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with pytest.raises(wire.Refused, match="403"):
        await end.opened


# --- Several generators -------------------------------------------------------------


def test_what_generators_found_is_added_up():
    whole, parts = run(), [run(), run()]
    for number, part in enumerate(parts):
        part.ledger.push.add(number, 0.1 + number)
        part.ledger.closes[1000] += 3
        part.ledger.newest["stock:1"] = 7 + number
        part.ledger.units["stock:1"] = 5 - number
        part.stale, part.numbers = Counter({"stock:1": 2}), [str(number)]
        part.spans = [("idle", 1.0, 2.0 + number)]
        part._count()
        part.numbers = [f"N{number}"]
        told = json.loads(json.dumps(merging.raw(part)))
        merging.absorb(whole, told)

    whole.conclude()

    assert whole.figures["push_p50"] == pytest.approx(100, rel=0.02)
    assert whole.figures["push_max"] == 1100
    assert sorted(whole.ledger.push.seconds) == [0, 1]
    assert whole.ledger.closes == {1000: 6}
    assert whole.ledger.units == {"stock:1": 4}, "as the newest version says"
    assert whole.figures["stale"] == 4
    assert whole.numbers == ["N0", "N1"]
    assert whole.spans == [("idle", 1.0, 3.0)]


@pytest.mark.parametrize("name, value", [("url", "ftp://x"), ("sockets", 10**7)])
def test_leader_may_not_say_what_flags_may_not(name, value):
    own = parsed("--join", "127.0.0.1:1", "--code", "c", "--i-own-this-host", "x")

    with pytest.raises(ValueError):
        options.heard(options.told(parsed(), False) | {name: value}, own, 2)


def test_leader_cannot_send_who_joins_to_a_host_they_did_not_name():
    own = parsed("--join", "127.0.0.1:1", "--code", "c")
    message = options.told(parsed("--url", "http://localhost:1"), False)

    with pytest.raises(ValueError, match="--i-own-this-host localhost"):
        options.heard(message, own, 2)


def test_leader_tells_other_machines_no_address_of_a_process():
    leader = parsed("--metrics", "unix:/run/pages.1")
    ours, theirs = (options.told(leader, is_ours) for is_ours in (True, False))
    own = parsed(
        *("--join", "127.0.0.1:1", "--code", "c", "--i-own-this-host", "localhost")
    )

    assert ours["metrics"] == ["unix:/run/pages.1"]
    assert options.heard(theirs, own, 2).metrics == []


def test_leader_tells_other_machines_no_token():
    assert "metrics_token" not in options.told(parsed("--metrics-token", "x"), False)


@pytest.mark.parametrize("place", ["9000", "host:", ":9000", "host:x", "host:70000"])
def test_place_that_is_none_is_refused(place):
    with pytest.raises(argparse.ArgumentError):
        parsed("--listen", place)


def test_processes_are_as_many_as_there_are_processors_and_no_more_than_sockets():
    assert parsed("--processes", "auto").processes >= 1
    assert parsed("--processes", "auto", "--sockets", "1").processes == 1
    with pytest.raises(ValueError, match="too many"):
        parsed("--processes", "4", "--sockets", "3")


def test_address_is_shared_by_machines():
    flags = ("--listen", "127.0.0.1:0", "--joining", "3")

    assert parsed("--sockets", "100000", *flags).source == []


def test_generators_of_a_run_are_told_each_flag_that_says_what_they_do():
    parser = argparse.ArgumentParser()
    options.add_to(parser)
    of_the_leader = {"help", "expect", "json", "html", "csv", "source", "shared"}
    of_the_leader |= {"processes", "listen", "joining", "join", "code", "metrics"}

    known = {action.dest for action in parser._actions}

    assert known - of_the_leader == {*options.SAID, *options.PRIVATE}


@pytest.mark.parametrize(
    "failures, spread_s, seconds",
    [
        *[(0, None, 0.25), (0, 30.0, 30.0), (1, None, 0.25), (5, None, 4.0)],
        *[(6, 1.0, 4.0), (7, 1.0, 8.0), (8, 1.0, 16.0), (20, 1.0, 60.0)],
    ],
)
def test_waits_grow_as_the_protocol_says(failures, spread_s, seconds):
    assert watchers.longest_wait(failures, spread_s) == seconds
