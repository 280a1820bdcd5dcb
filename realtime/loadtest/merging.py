"""The measurements of a generator as plain values, and those of several added up."""

import math
from collections import Counter
from typing import Any

from realtime.loadtest.conclusions import TIMES
from realtime.loadtest.gates import Verdict
from realtime.loadtest.run import Run

COUNTERS = ("tally", "lost_codes", "sold")
NAMES = ("numbers", "lost", "unanswered", "miscalculated")


def raw(run: Run) -> dict[str, Any]:
    """Return all measurements of a run, for JSON."""
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
        "durations": run.durations,
        "stale": run.stale,
        "page_versions": run.page_versions,
        "stock": run.stock,
        "drop": run.drop,
        "cut_short": run.cut_short,
        **{name: getattr(run, name) for name in (*COUNTERS, *NAMES)},
    }


def absorb(run: Run, results: dict[str, Any]) -> None:
    """Add the measurements of a generator, as `raw` returns them. Raises `KeyError`,
    `TypeError` or `ValueError` if they are something else."""
    ledger = run.ledger
    for name in TIMES:
        getattr(ledger, name).merge(results["times"][name])
    ledger.closes.update({int(code): int(n) for code, n in results["closes"]})
    for name in ("refusals", "count", "doubt"):
        getattr(ledger, name).update(_counts(results[name]))
    for name in COUNTERS:
        getattr(run, name).update(_counts(results[name]))
    for name in NAMES:
        getattr(run, name).extend(map(str, results[name]))
    _absorb_clock(run, *results["clock"])
    for topic, version, units in results["units"]:
        if int(version) >= ledger.newest.get(topic, -1):
            ledger.newest[topic], ledger.units[topic] = int(version), int(units)
    run.vitals.merge(results["vitals"])
    _absorb_spans(run, results["spans"])
    for name, seconds in results["durations"].items():
        run.durations[name] = max(run.durations.get(name, 0.0), float(seconds))
    if results["stale"] is not None:
        run.stale = (run.stale or Counter()) + Counter(_counts(results["stale"]))
    for topic, version in results["page_versions"].items():
        run.page_versions[topic] = max(run.page_versions.get(topic, -1), int(version))
    run.stock = run.stock or {t: int(n) for t, n in results["stock"].items()}
    _absorb_drop(run.drop, results["drop"])
    if results["cut_short"] is not None:
        verdict, why = results["cut_short"]
        run.cut_short = run.cut_short or (Verdict(verdict), str(why))


def _counts(results: dict[str, Any]) -> dict[str, int]:
    return {str(name): int(count) for name, count in results.items()}


def _absorb_clock(run: Run, now: float, offset: float, uses_commit_times: bool) -> None:
    """Generators start together, and each has corrected its own clock."""
    ledger = run.ledger
    ledger.duration = max(ledger.duration or 0.0, float(now))
    ledger.uses_commit_times |= bool(uses_commit_times)
    ledger.offset = max(ledger.offset, float(offset), key=math.fabs)


def _absorb_drop(drop: dict[str, Any], results: dict[str, Any]) -> None:
    """Each generator has its own people; all saw the same room, some a bit later."""
    drop["people"] += list(results["people"])
    drop["faults"] += map(str, results["faults"])
    if int(results["bought"]) >= drop["bought"]:
        drop |= {name: results[name] for name in ("state", "bought", "left")}


def _absorb_spans(run: Run, results: list) -> None:
    """A phase lasts until the last generator has finished it."""
    spans = {name: (start, end) for name, start, end in run.spans}
    for name, start, end in results:
        first, last = spans.get(name, (start, end))
        spans[name] = min(first, float(start)), max(last, float(end))
    run.spans = [(name, *span) for name, span in spans.items()]
