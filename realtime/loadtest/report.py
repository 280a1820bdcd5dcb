"""How the figures are told: a table, JSON, CSV, and one HTML file with plots."""

import csv
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from realtime.loadtest.gates import Verdict
from realtime.loadtest.measures import Timeline, milliseconds
from realtime.loadtest.phases import Run

POINTS = ("p50", "p95", "p99", "max")
TIMES = {
    "push": "push",
    "handshake": "handshake",
    "http": "HTTP request",
    "order": "whole order",
    "generator_lag": "our own delay",
}
FACTS = {
    "sockets": "sockets",
    "connects_per_s": "connects a second",
    "failed_handshakes": "never subscribed",
    "changes": "changes heard of",
    "changes_per_s": "changes a second",
    "pushes": "frames received",
    "pushes_per_s": "frames a second",
    "hidden": "sockets of hidden tabs",
    "hidden_pushes": "frames received by hidden tabs",
    "gaps": "gaps found by heartbeats",
    "unexpected_closes": "unexpected closes",
    "stale": "stale at the end",
    "settle_s": "all right after (s)",
    "storm_s": "all back after the storm (s)",
    "orders": "orders",
    "orders_refused": "refused, sold out",
    "requests": "HTTP requests",
    "failed_requests": "failed requests",
    "server_cpu_percent": "server CPU (%)",
    "server_pages_cpu_percent": "of it processes of pages (%)",
    "server_sockets_cpu_percent": "of it processes of sockets (%)",
    "server_both_cpu_percent": "of it processes of both (%)",
    "server_memory_mb": "server memory (MB)",
    "memory_slope_kb_min": "server memory grows (KB/min)",
    "server_loop_lag_ms": "server loop lag p99 (ms)",
    "server_sockets": "server sockets",
    "server_files": "server open files",
    "generator_cpu_percent": "our own CPU (%)",
}


def as_dict(run: Run, verdict: Verdict, sentences: list[str]) -> dict[str, Any]:
    """All of it, for JSON."""
    options = vars(run.options) | {"expect": [e.text for e in run.options.expect]}
    unwanted = {"metrics_token", "i_own_this_host"}
    return {
        "verdict": verdict.name.lower(),
        "exit_code": int(verdict),
        "sentences": sentences,
        "notes": notes(run),
        "options": {
            k: options[k] for k in sorted(options.keys() - unwanted) if is_plain(k)
        },
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


def is_plain(name: str) -> bool:
    """Whether a flag is ours: `manage.py` brings its own."""
    return name in {
        *("url", "sockets", "rate", "duration", "phases", "changes", "products"),
        *("buyers", "limit", "quiet", "seed", "expect", "source", "shared"),
        *("processes", "listen", "joining"),
    }


def notes(run: Run) -> list[str]:
    """What one must know to read the figures."""
    if run.ledger.uses_commit_times:
        error = run.vitals.clock_error
        clock = (
            f"the server's clock is {run.ledger.offset * 1000:+.2f} ms from ours, "
            f"give or take {error * 1000:.2f} ms"
            if error is not None
            else "the server's clock is taken for ours: it could not be asked"
        )
        said = [f"Push: from the commit's time in the frame; {clock}."]
    else:
        said = [
            "Push: from when the request left that made the change, as frames do not "
            "tell the commit's time: an upper bound, the request's time included."
        ]
    if run.figures.get("generator_is_saturated"):
        said.append(
            "THIS PROGRAM could not keep up: times are its own, not the server's. "
            "Use more processes (--processes auto), more machines or fewer sockets."
        )
    if not run.vitals.is_one_process_each:
        said.append(
            "More than one process answered /metrics at one address (were there "
            "several, or was it restarted?): the server's figures are left out."
        )
    if silent := run.vitals.silent:
        who = ", ".join(silent) if len(run.vitals.rows) > 1 else "The server"
        said.append(f"{who} told nothing: /metrics did not answer (see --metrics).")
    return said


def rows(run: Run) -> Iterable[dict[str, Any]]:
    """A row for each second: percentiles in ms, and what the server said last."""
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
    """The files that were asked for."""
    told = as_dict(run, verdict, sentences)
    if run.options.json:
        Path(run.options.json).write_text(json.dumps(told, indent=2) + "\n")
    if run.options.csv:
        names = list(dict.fromkeys(name for row in told["seconds"] for name in row))
        with open(run.options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(told["seconds"])
    if run.options.html:
        Path(run.options.html).write_text(page(run, told))


# --- Text -------------------------------------------------------------------------


def table(run: Run, verdict: Verdict, sentences: list[str]) -> str:
    """The end of what the terminal shows."""
    figures = run.figures
    lines = ["", f"{'ms':<18}" + "".join(f"{point:>10}" for point in POINTS)]
    for name, label in TIMES.items():
        cells = (number(figures.get(f"{name}_{point}")) for point in POINTS)
        lines.append(f"{label:<18}" + "".join(f"{cell:>10}" for cell in cells))
    lines.append("")
    lines += [f"{label:<32}{value:>12}" for label, value in facts(run)]
    lines += [f"{label:<32}{value:>12}" for label, value in each_process(run)]
    lines += ["", *notes(run)]
    for reason, count in run.ledger.refusals.most_common(5):
        lines.append(f"Failed {count} times: {reason}")
    lines += ["", *sentences, f"{verdict.name}, exit code {int(verdict)}"]
    return "\n".join(lines)


def facts(run: Run) -> list[tuple[str, str]]:
    known = [
        (label, number(run.figures[name]))
        for name, label in FACTS.items()
        if run.figures.get(name) is not None
    ]
    codes = ", ".join(f"{code}: {n:,}" for code, n in sorted(run.ledger.closes.items()))
    return [*known, ("closes by code", codes or "none")]


def each_process(run: Run) -> list[tuple[str, str]]:
    """A line for each of several processes of the server."""
    told = run.vitals.processes()
    if len(told) < 2:
        return []
    return [
        (
            f"{name} ({figures['role']})",
            f"CPU {number(figures.get('cpu_percent'))} %, "
            f"{number(figures.get('memory_mb'))} MB, "
            f"loop lag p99 {number(figures.get('loop_lag_ms'))} ms",
        )
        for name, figures in told.items()
    ]


def number(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"


# --- HTML -------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, BOTTOM = 360, 180, 44, 22

STYLE = """
:root{color-scheme:light dark;--ink:#16242c;--paper:#fbfaf7;--line:#d5d9d6;
--soft:#5a6a70;--a:#0a6d8a;--b:#b4471d;--good:#1c6b3c;--bad:#a3211b}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecec;--paper:#101a20;--line:#33434b;
--soft:#a3b2b8;--a:#5cc3e0;--b:#f39a6b;--good:#7fd6a0;--bad:#ff9c92}}
*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:1rem;
font:16px/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink)}
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.1rem;margin:2rem 0 .5rem}
.verdict{border-left:.4rem solid var(--good);padding:.5rem 1rem;margin:1rem 0}
.verdict--bad{border-color:var(--bad)}.verdict strong{font-size:1.2rem}
.verdict p,.verdict ul{margin:.25rem 0}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.35rem .25rem;border-bottom:1px solid var(--line)}
th:first-child{text-align:left;font-weight:400}thead th{color:var(--soft)}
.plots{display:grid;gap:1rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr))}
figure{margin:0}figcaption{font-weight:600}svg{width:100%;height:auto;display:block}
svg text{font:11px system-ui,sans-serif;fill:var(--soft)}
.grid{stroke:var(--line)}.a,.b{fill:none;stroke-width:2;stroke-linejoin:round}
.a{stroke:var(--a)}.b{stroke:var(--b);stroke-dasharray:5 3}
.phase{fill:var(--line);opacity:.35}
.key{font-size:.875rem;color:var(--soft)}code{overflow-wrap:anywhere}
"""


def page(run: Run, told: dict[str, Any]) -> str:
    """The whole report in one file that loads nothing."""
    options = told["options"]
    good = told["verdict"] == "passed"
    asked = ", ".join(
        f"{name} {value}"
        for name, value in options.items()
        if name not in ("url", "source", "expect", "phases", "shared")
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test: {escape(told["verdict"])}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Load test of {escape(options["url"])}</h1>
<p class="soft">{escape(asked)}; phases {escape(", ".join(options["phases"]))}</p>
<div class="verdict{"" if good else " verdict--bad"}">
<strong>{escape(told["verdict"].capitalize().replace("_", " "))}</strong>
{bullets(told["sentences"])}{bullets(told["notes"])}
</div>
<h2>How long it took, in milliseconds</h2>
{times_table(run)}
<h2>Second by second</h2>
<p class="soft">{bands(told["phases"])}</p>
<div class="plots">{plots(run, told)}</div>
<h2>What happened</h2>
{facts_table(run)}
{failures(told["refusals"])}
</main>
</body>
</html>
"""


def bands(phases: list[dict]) -> str:
    """Which phase was when; every second one is shaded in the plots."""
    said = [f"{p['name']} from {p['from_s']:.0f} s" for p in phases]
    return escape(", ".join(said)) + "; every second one is shaded."


def bullets(sentences: list[str]) -> str:
    if not sentences:
        return ""
    return f"<ul>{''.join(f'<li>{escape(s)}</li>' for s in sentences)}</ul>"


def times_table(run: Run) -> str:
    head = "".join(f'<th scope="col">{point}</th>' for point in POINTS)
    body = ""
    for name, label in TIMES.items():
        cells = (run.figures.get(f"{name}_{point}") for point in POINTS)
        body += f'<tr><th scope="row">{label}</th>'
        body += "".join(f"<td>{number(cell)}</td>" for cell in cells) + "</tr>"
    return (
        f'<table><thead><tr><th scope="col">what</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )


def facts_table(run: Run) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(value)}</td></tr>'
        for label, value in [*facts(run), *each_process(run)]
    )
    return f"<table><tbody>{body}</tbody></table>"


def failures(refusals: dict[str, int]) -> str:
    if not refusals:
        return ""
    said = [f"{count} times: {reason}" for reason, count in refusals.items()]
    return f"<h2>What failed</h2>{bullets(said[:20])}"


def plots(run: Run, told: dict[str, Any]) -> str:
    ledger = run.ledger
    found = [
        ("Push, ms", *_lines(ledger.push)),
        ("Handshake, ms", *_lines(ledger.handshake)),
        ("HTTP request, ms", *_lines(ledger.http)),
    ]
    frames = [(second, times.count) for second, times in ledger.push.seconds.items()]
    found.append(("Timed frames a second", sorted(frames), []))
    memory = [
        (row["second"], row["server_memory_mb"])
        for row in told["seconds"]
        if "server_memory_mb" in row
    ]
    found.append(("Server memory, MB", memory, []))
    end = max(run.spans[-1][2] if run.spans else 1, 1)
    return "".join(_plot(*each, run.spans, end) for each in found if each[1])


Line = list[tuple[float, float]]


def _lines(timeline: Timeline) -> tuple[Line, Line]:
    seconds = sorted(timeline.seconds.items())
    return tuple(
        [(second, times.percentile(point) * 1000) for second, times in seconds]
        for point in (50, 99)
    )


def _stretches(line: Line) -> list[Line]:
    """The line, cut where nothing was measured."""
    parts: list[Line] = []
    for point in line:
        if parts and point[0] - parts[-1][-1][0] <= 2:
            parts[-1].append(point)
        else:
            parts.append([point])
    return parts


def _plot(title: str, first: Line, second: Line, spans: list, end: float) -> str:
    top = max(value for _, value in first + second) * 1.1 or 1

    def x(at: float) -> float:
        return LEFT + min(at / end, 1) * (WIDTH - LEFT - 4)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - 8)

    def path(line: Line, name: str) -> str:
        return "".join(stretch(part, name) for part in _stretches(line))

    def stretch(line: Line, name: str) -> str:
        points = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in line)
        if len(line) == 1:  # one second is no line: show it as a short one
            at, value = line[0]
            points += f" {x(at) + 3:.1f},{y(value):.1f}"
        return f'<polyline class="{name}" points="{points}"/>'

    bands = "".join(
        f'<rect class="phase" x="{x(start):.1f}" y="4" height="{HEIGHT - BOTTOM - 4}"'
        f' width="{max(0, x(stop) - x(start)):.1f}"><title>{name}</title></rect>'
        for name, start, stop in spans[1::2]
    )
    marks = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH}" y1="{y(v):.1f}" y2="{y(v):.1f}"/>'
        f'<text x="{LEFT - 4}" y="{y(v) + 4:.1f}" text-anchor="end">{number(v)}</text>'
        for v in (0, round(top / 2, 1), round(top / 1.1, 1))
    )
    key = " <span class='key'>— p50, - - p99</span>" if second else ""
    summary = f"{title}: at most {number(max(v for _, v in first + second))}"
    return (
        f"<figure><figcaption>{title}{key}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{summary}">'
        f"{bands}{marks}{path(first, 'a')}{path(second, 'b')}"
        f'<text x="{LEFT}" y="{HEIGHT - 6}">0 s</text>'
        f'<text x="{WIDTH - 4}" y="{HEIGHT - 6}" text-anchor="end">{end:.0f} s</text>'
        f"</svg></figure>"
    )
