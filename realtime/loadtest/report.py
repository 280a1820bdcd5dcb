"""The results of a run as data, and the files they are written to."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from realtime.loadtest import report_html
from realtime.loadtest.gates import Verdict
from realtime.loadtest.measures import milliseconds
from realtime.loadtest.run import Run

# Flags that the report repeats. `manage.py` adds flags of its own.
OPTIONS = {
    *("url", "sockets", "rate", "duration", "phases", "changes", "products"),
    *("buyers", "limit", "quiet", "seed", "expect", "source", "shared"),
    *("processes", "listen", "joining"),
}


def as_dict(run: Run, verdict: Verdict, sentences: list[str]) -> dict[str, Any]:
    """Return all results, for JSON."""
    options = vars(run.options) | {"expect": [e.text for e in run.options.expect]}
    return {
        "verdict": verdict.name.lower(),
        "exit_code": int(verdict),
        "sentences": sentences,
        "notes": notes(run),
        "options": {name: options[name] for name in sorted(OPTIONS & options.keys())},
        "figures": run.figures,
        "processes": run.vitals.processes(),
        "closes": {str(code): n for code, n in sorted(run.ledger.closes.items())},
        "refusals": dict(run.ledger.refusals),
        "phases": [
            {"name": name, "from_s": round(start, 2), "to_s": round(end, 2)}
            for name, start, end in run.spans
        ],
        "seconds": list(rows(run)),
    }


def notes(run: Run) -> list[str]:
    """Return what readers must know to understand the figures."""
    notes = [_push_note(run)]
    if run.figures.get("generator_is_saturated"):
        notes.append(
            "The load test itself could not keep up, so these times are its own, not"
            " the server's. Use more processes (--processes auto), more machines or"
            " fewer sockets."
        )
    if not run.vitals.is_one_process_each:
        notes.append(
            "More than one process answered /metrics at the same address, so the"
            " server's figures are left out. Perhaps it was restarted, or several"
            " processes share the address."
        )
    if silent := run.vitals.silent:
        names = ", ".join(silent) if len(run.vitals.rows) > 1 else "the server"
        notes.append(
            f"No figures from {names}: /metrics did not answer. See --metrics."
        )
    return notes


def _push_note(run: Run) -> str:
    if not run.ledger.uses_commit_times:
        return (
            "Push times start when the request that makes a change is sent, as frames"
            " have no commit time. They are upper bounds that include the request."
        )
    error = run.vitals.clock_error
    if error is None:
        clock = "The server's clock could not be read, so it is taken to be ours."
    else:
        offset, error = run.ledger.offset * 1000, error * 1000
        clock = f"The server's clock differs by {offset:+.2f} ms (± {error:.2f} ms)."
    return f"Push times start at the commit, whose time is in the frame. {clock}"


def rows(run: Run) -> Iterable[dict[str, Any]]:
    """Yield a row for each second: percentiles in ms, and the server's memory."""
    for second in range(int(run.ledger.now) + 1):
        row: dict[str, Any] = {"second": second}
        for name in ("push", "handshake", "http"):
            times = getattr(run.ledger, name).seconds.get(second)
            row[f"{name}_count"] = times.count if times else 0
            for point in (50, 99):
                value = times.percentile(point) if times else None
                row[f"{name}_p{point}"] = milliseconds(value)
        if (memory := run.vitals.memory_at(second)) is not None:
            row["server_memory_mb"] = round(memory / 2**20, 2)
        yield row


def write(run: Run, verdict: Verdict, sentences: list[str]) -> None:
    """Write the files that --json, --csv and --html name."""
    results = as_dict(run, verdict, sentences)
    if run.options.json:
        Path(run.options.json).write_text(json.dumps(results, indent=2) + "\n")
    if run.options.csv:
        names = list(dict.fromkeys(name for row in results["seconds"] for name in row))
        with open(run.options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(results["seconds"])
    if run.options.html:
        Path(run.options.html).write_text(report_html.page(run, results))
