"""What a generator has found, as plain values; and that of several, added up."""

import math
from collections import Counter
from typing import Any

from realtime.loadtest.gates import Verdict
from realtime.loadtest.phases import TIMES, Run

COUNTERS = ("tally", "lost_codes", "sold")
NAMES = ("numbers", "lost", "unanswered")


def raw(run: Run) -> dict[str, Any]:
    """All that `run` has found, for JSON."""
    ledger = run.ledger
    return {
        "times": {name: getattr(ledger, name).raw() for name in TIMES},
        "closes": list(ledger.closes.items()),
        "refusals": ledger.refusals,
        "count": ledger.count,
        "doubt": ledger.doubt,
        "clock": [ledger.now, ledger.offset, ledger.uses_commit_times],
        "units": [(t, ledger.newest.get(t, -1), n) for t, n in ledger.units.items()],
        "vitals": run.vitals.raw(),
        "spans": run.spans,
        "lasted": run.lasted,
        "stale": run.stale,
        "truth": run.truth,
        "stock": run.stock,
        "cut_short": run.cut_short,
        **{name: getattr(run, name) for name in (*COUNTERS, *NAMES)},
    }


def absorb(run: Run, told: dict[str, Any]) -> None:
    """Add what a generator has found. Raises `KeyError`, `TypeError`, `ValueError` if
    it is not what `raw` gives."""
    ledger = run.ledger
    for name in TIMES:
        getattr(ledger, name).merge(told["times"][name])
    ledger.closes.update({int(code): int(n) for code, n in told["closes"]})
    for name in ("refusals", "count", "doubt"):
        getattr(ledger, name).update(_counts(told[name]))
    for name in COUNTERS:
        getattr(run, name).update(_counts(told[name]))
    for name in NAMES:
        getattr(run, name).extend(map(str, told[name]))
    _absorb_clock(run, *told["clock"])
    for topic, version, units in told["units"]:
        if int(version) >= ledger.newest.get(topic, -1):
            ledger.newest[topic], ledger.units[topic] = int(version), int(units)
    run.vitals.merge(told["vitals"])
    _absorb_spans(run, told["spans"])
    for name, seconds in told["lasted"].items():
        run.lasted[name] = max(run.lasted.get(name, 0.0), float(seconds))
    if told["stale"] is not None:
        run.stale = (run.stale or Counter()) + Counter(_counts(told["stale"]))
    for topic, version in told["truth"].items():
        run.truth[topic] = max(run.truth.get(topic, -1), int(version))
    run.stock = run.stock or {t: int(n) for t, n in told["stock"].items()}
    if told["cut_short"] is not None:
        verdict, why = told["cut_short"]
        run.cut_short = run.cut_short or (Verdict(verdict), str(why))


def _counts(told: dict[str, Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in told.items()}


def _absorb_clock(run: Run, now: float, offset: float, uses_commit_times: bool) -> None:
    """Generators begin together, and each has put its own clock right."""
    ledger = run.ledger
    ledger.lasted = max(ledger.lasted or 0.0, float(now))
    ledger.uses_commit_times |= bool(uses_commit_times)
    ledger.offset = max(ledger.offset, float(offset), key=math.fabs)


def _absorb_spans(run: Run, told: list) -> None:
    """A phase lasts until the last generator has been through it."""
    spans = {name: (start, end) for name, start, end in run.spans}
    for name, start, end in told:
        first, last = spans.get(name, (start, end))
        spans[name] = min(first, float(start)), max(last, float(end))
    run.spans = [(name, *span) for name, span in spans.items()]
