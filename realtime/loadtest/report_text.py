"""The results of a run as text for a terminal."""

from realtime.loadtest.gates import Verdict
from realtime.loadtest.run import Run

POINTS = ("p50", "p95", "p99", "max")
TIMES = {
    "push": "push",
    "handshake": "handshake",
    "http": "HTTP request",
    "order": "order, start to end",
    "generator_lag": "load test's delay",
}
FACTS = {
    "sockets": "sockets",
    "connects_per_s": "sockets opened a second",
    "failed_handshakes": "sockets refused",
    "changes": "changes",
    "changes_per_s": "changes a second",
    "pushes": "frames received",
    "pushes_per_s": "frames a second",
    "hidden": "hidden tabs",
    "hidden_pushes": "frames to hidden tabs",
    "gaps": "lost frames (gaps)",
    "unexpected_closes": "unexpected closes",
    "stale": "stale at the end",
    "settle_s": "all current after (s)",
    "storm_s": "all back after storm (s)",
    "orders": "orders",
    "orders_refused": "orders refused (sold out)",
    "drop_people": "people in the drop's room",
    "drop_sold": "of them bought",
    "drop_heard_s": "last one heard it is over (s)",
    "requests": "HTTP requests",
    "failed_requests": "failed requests",
    "server_cpu_percent": "server CPU (%)",
    "server_pages_cpu_percent": "  of page processes (%)",
    "server_sockets_cpu_percent": "  of socket processes (%)",
    "server_both_cpu_percent": "  of processes for both (%)",
    "server_memory_mb": "server memory (MB)",
    "memory_slope_kb_min": "server memory growth (KB/min)",
    "server_loop_lag_ms": "server loop lag, p99 (ms)",
    "server_sockets": "server sockets",
    "server_files": "server open files",
    "generator_cpu_percent": "load test's CPU (%)",
}


def table(run: Run, verdict: Verdict, sentences: list[str], notes: list[str]) -> str:
    """Return what the terminal shows at the end."""
    figures = run.figures
    lines = ["", f"{'ms':<18}" + "".join(f"{point:>10}" for point in POINTS)]
    for name, label in TIMES.items():
        cells = (number(figures.get(f"{name}_{point}")) for point in POINTS)
        lines.append(f"{label:<18}" + "".join(f"{cell:>10}" for cell in cells))
    lines.append("")
    lines += [f"{label:<32}{value:>12}" for label, value in facts(run)]
    lines += [f"{label:<32}{value:>12}" for label, value in each_process(run)]
    lines += ["", *notes]
    for reason, count in run.ledger.refusals.most_common(5):
        lines.append(f"Failed {count} times: {reason}")
    lines += ["", *sentences, f"{verdict.name}, exit code {int(verdict)}"]
    return "\n".join(lines)


def facts(run: Run) -> list[tuple[str, str]]:
    """Return labels and values of all figures that were measured."""
    figures = [
        (label, number(run.figures[name]))
        for name, label in FACTS.items()
        if run.figures.get(name) is not None
    ]
    codes = ", ".join(f"{code}: {n:,}" for code, n in sorted(run.ledger.closes.items()))
    return [*figures, ("closes by code", codes or "none")]


def each_process(run: Run) -> list[tuple[str, str]]:
    """Return a line for each process of the server, if there are several."""
    processes = run.vitals.processes()
    if len(processes) < 2:
        return []
    return [
        (
            f"{name} ({figures['role']})",
            f"CPU {number(figures.get('cpu_percent'))} %, "
            f"{number(figures.get('memory_mb'))} MB, "
            f"loop lag p99 {number(figures.get('loop_lag_ms'))} ms",
        )
        for name, figures in processes.items()
    ]


def number(value: float | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, int) or float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.2f}"
