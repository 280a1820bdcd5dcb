"""Plots of a run, second by second, as SVG."""

from typing import Any

from realtime.loadtest.measures import Timeline
from realtime.loadtest.report_text import number
from realtime.loadtest.run import Run

WIDTH, HEIGHT, LEFT, BOTTOM = 360, 180, 44, 22


def plots(run: Run, results: dict[str, Any]) -> str:
    """Return a figure for each series that has values."""
    ledger = run.ledger
    series = [
        ("Push, ms", *_lines(ledger.push)),
        ("Handshake, ms", *_lines(ledger.handshake)),
        ("HTTP request, ms", *_lines(ledger.http)),
    ]
    frames = [(second, times.count) for second, times in ledger.push.seconds.items()]
    series.append(("Timed frames a second", sorted(frames), []))
    memory = [
        (row["second"], row["server_memory_mb"])
        for row in results["seconds"]
        if "server_memory_mb" in row
    ]
    series.append(("Server memory, MB", memory, []))
    end = max(run.spans[-1][2] if run.spans else 1, 1)
    return "".join(_plot(*each, run.spans, end) for each in series if each[1])


Line = list[tuple[float, float]]


def _lines(timeline: Timeline) -> tuple[Line, Line]:
    return _line(timeline, 50), _line(timeline, 99)


def _line(timeline: Timeline, percent: float) -> Line:
    seconds = sorted(timeline.seconds.items())
    points = ((second, times.percentile(percent)) for second, times in seconds)
    return [(second, value * 1000) for second, value in points if value is not None]


def _stretches(line: Line) -> list[Line]:
    """Split a line where nothing was measured."""
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
        if len(line) == 1:  # draw a single second as a short line
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
