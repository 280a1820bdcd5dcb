"""The results of a run as an HTML page."""

from html import escape
from typing import Any

from realtime.loadtest.plots import plots
from realtime.loadtest.report_text import POINTS, TIMES, each_process, facts, number
from realtime.loadtest.run import Run

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


def page(run: Run, results: dict[str, Any]) -> str:
    """Return the whole report as one page that loads nothing else."""
    options = results["options"]
    good = results["verdict"] == "passed"
    flags = ", ".join(
        f"{name} {value}"
        for name, value in options.items()
        if name not in ("url", "source", "expect", "phases", "shared")
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test: {escape(results["verdict"])}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Load test of {escape(options["url"])}</h1>
<p class="soft">{escape(flags)}; phases {escape(", ".join(options["phases"]))}</p>
<div class="verdict{"" if good else " verdict--bad"}">
<strong>{escape(results["verdict"].capitalize().replace("_", " "))}</strong>
{bullets(results["sentences"])}{bullets(results["notes"])}
</div>
<h2>Times in milliseconds</h2>
{times_table(run)}
<h2>Second by second</h2>
<p class="soft">{bands(results["phases"])}</p>
<div class="plots">{plots(run, results)}</div>
<h2>Figures</h2>
{facts_table(run)}
{failures(results["refusals"])}
</main>
</body>
</html>
"""


def bands(phases: list[dict]) -> str:
    """Say when each phase began. The plots shade every second one."""
    starts = [f"{p['name']} from {p['from_s']:.0f} s" for p in phases]
    return escape(", ".join(starts)) + ". Every second phase is shaded."


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
        f'<table><thead><tr><th scope="col">time of</th>{head}</tr></thead>'
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
    lines = [f"{count} times: {reason}" for reason, count in refusals.items()]
    return f"<h2>Failures</h2>{bullets(lines[:20])}"
