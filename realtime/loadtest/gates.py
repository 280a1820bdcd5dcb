"""The verdict on a shop, and the exit code for it."""

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple


class Verdict(IntEnum):
    """The exit code. 1 is an error of this program, 2 means wrong options."""

    PASSED = 0
    INCORRECT = 3  # something is lost, stale, oversold or miscalculated
    TOO_SLOW = 4  # an --expect was not met
    UNFINISHED = 5  # out of time
    UNREACHABLE = 6  # there is no shop, or it stopped answering
    OVERLOADED = 7  # this program could not keep up, so it cannot judge the shop
    INTERRUPTED = 130  # Ctrl-C


UNITS = {"us": 0.001, "ms": 1, "s": 1000, "%": 1, "": 1}
PATTERN = re.compile(
    r"\s*(?P<name>[a-z][a-z0-9_]*)\s*(?P<sign><=|>=|<|>)\s*"
    r"(?P<limit>\d+(?:\.\d+)?)\s*(?P<unit>us|ms|s|%|)\s*"
)
COMPARE = {
    "<": float.__lt__,
    "<=": float.__le__,
    ">": float.__gt__,
    ">=": float.__ge__,
}
TIMES = ("push", "handshake", "http", "order", "generator_lag")
NUMBERS = (
    *("pushes", "pushes_per_s", "orders", "orders_refused", "sockets", "handshakes"),
    *("hidden", "hidden_pushes"),
    *("changes_per_s", "failed_handshakes", "failed_requests", "unexpected_closes"),
    *("gaps", "connects_per_s", "storm_s", "settle_s", "stale"),
    *("server_cpu_percent", "server_memory_mb", "memory_slope_kb_min"),
    *("generator_cpu_percent", "server_loop_lag_ms"),
    *("drop_people", "drop_sold", "drop_heard_s"),
)
# Figures that are right even if the generator cannot keep up: the server's memory, and
# the generator's own figures.
TRUSTED = ("server_memory_mb", "memory_slope_kb_min", "generator_")
NOT_JUDGED = "Not judged, because the load test could not keep up: "


class Expectation(NamedTuple):
    """A figure and its limit; times are in milliseconds."""

    name: str
    sign: str
    limit: float
    text: str

    def is_trusted(self, figures: dict[str, Any]) -> bool:
        """Whether the figure is right even if the generator could not keep up."""
        return self.name.startswith(TRUSTED) and figures.get(self.name) is not None

    def complaint(self, figures: dict[str, Any]) -> str | None:
        """Return why the figures don't meet the expectation, or None if they do.

        A figure that was not measured never meets it.
        """
        value = figures.get(self.name)
        if value is None:
            return f"{self.text}: {self.name} was not measured"
        if COMPARE[self.sign](float(value), self.limit):
            return None
        return f"{self.text}: {self.name} is {value:g}"


def expectation(text: str) -> Expectation:
    """Parse text like `push_p99<150ms`. Raises `ValueError` if that is impossible."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not of the form push_p99<150ms")
    name, unit = match["name"], match["unit"]
    if name not in names():
        raise ValueError(f"{name!r} is not one of {', '.join(names())}")
    is_time = name.startswith(tuple(f"{each}_p" for each in TIMES))
    is_time = is_time or name in {f"{each}_max" for each in TIMES}
    if unit in ("us", "ms", "s") and not is_time and not name.endswith(("_s", "_ms")):
        raise ValueError(f"{name!r} is not a time, so it takes no unit of time")
    limit = float(match["limit"]) * UNITS[unit]
    if name.endswith("_s") and unit in ("us", "ms", "s"):
        limit /= 1000  # a figure in seconds
    return Expectation(name, match["sign"], limit, text.strip())


def names() -> list[str]:
    """Return the names of the figures that --expect takes."""
    points = [f"{t}_{p}" for t in TIMES for p in ("p50", "p95", "p99", "max")]
    return [*points, *NUMBERS]


def judge(
    wrong: list[str],
    figures: dict[str, Any],
    expectations: list[Expectation],
    cut_short: tuple[Verdict, str] | None = None,
    late: Sequence[str] = (),
) -> tuple[Verdict, list[str]]:
    """Return the exit code, and sentences that explain it.

    `wrong` are faults of the shop. They outweigh slowness, but not that a run was cut
    short. `late` are faults that a generator which is late would see in a sound
    shop too. If this generator could not keep up, it judges neither them nor its own
    figures.
    """
    complaints = [(e, c) for e in expectations if (c := e.complaint(figures))]
    slow = [complaint for _, complaint in complaints]
    unjudged: list[str] = []
    if figures.get("generator_is_saturated"):
        slow = [c for e, c in complaints if e.is_trusted(figures)]
        unjudged = [*late, *(c for e, c in complaints if not e.is_trusted(figures))]
        unjudged = [NOT_JUDGED + complaint for complaint in unjudged]
    else:
        wrong = [*wrong, *late]
    sentences = [*wrong, *slow, *unjudged]
    if cut_short is not None:
        verdict, why = cut_short
        if verdict == Verdict.UNFINISHED and wrong:
            verdict = Verdict.INCORRECT
        elif verdict == Verdict.UNFINISHED and figures.get("generator_is_saturated"):
            verdict = Verdict.OVERLOADED
        return verdict, [why, *sentences]
    if wrong:
        return Verdict.INCORRECT, sentences
    if slow:
        return Verdict.TOO_SLOW, sentences
    return (Verdict.OVERLOADED if unjudged else Verdict.PASSED), sentences
