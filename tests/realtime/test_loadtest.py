"""The load test's own arithmetic: percentiles, gates, limits, the wire."""

import argparse
import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from realtime import protocol
from realtime.loadtest import options, shoppers, vitals, watchers, wire
from realtime.loadtest.gates import Verdict, expectation, judge
from realtime.loadtest.measures import Times, slope
from tests.live.schema import DOCUMENT

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
    "wrong, push, is_finished, verdict",
    [
        ([], 1, True, Verdict.PASSED),
        ([], 9, True, Verdict.TOO_SLOW),
        ([], 9, False, Verdict.UNFINISHED),
        (["An order is lost."], 9, False, Verdict.INCORRECT),
    ],
)
def test_verdict_tells_the_gravest_of_what_was_found(wrong, push, is_finished, verdict):
    limits = [expectation("push_p99<5ms")]

    code, sentences = judge(wrong, {"push_p99": push}, limits, is_finished)

    assert code == verdict
    assert bool(sentences) == (verdict != Verdict.PASSED)


def test_exit_codes_of_the_gates_differ():
    assert len({int(verdict) for verdict in Verdict} | {1, 2, 130}) == len(Verdict) + 3


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
        ("--sockets", "100001"),
        ("--sockets", "0"),
        ("--rate", "0"),
        ("--rate", "5001"),
        ("--duration", "3601"),
        ("--duration", "inf"),
        ("--phases", "connect,nap"),
        ("--expect", "speed<3"),
    ],
)
def test_flag_beyond_its_limits_is_refused(arguments):
    with pytest.raises(argparse.ArgumentError):
        parsed(*arguments)


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


def test_metrics_are_added_up_and_the_loops_lag_is_the_bucket_of_its_p99():
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
        "shop_loop_lag_seconds_p99": 0.05,
    }


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
