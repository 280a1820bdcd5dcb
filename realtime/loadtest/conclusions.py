"""Draws conclusions from a run: its figures, and the faults of the shop."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from realtime.loadtest import fairness
from realtime.loadtest.ledger import SLOW_PAGE_S
from realtime.loadtest.phases import CLOSE_S

if TYPE_CHECKING:
    from realtime.loadtest.run import Run

TIMES = ("push", "handshake", "http", "order")
ACTIVE = ("fanout", "shopping")  # phases in which stock changes
WARM_UP_S = 30


def conclude(run: "Run") -> None:
    """Fill in the figures, and the complaints about the shop."""
    run.figures |= _times(run) | _counts(run) | _rates(run) | run.vitals.figures()
    _check_sockets(run)
    _check_orders(run)
    _check_drop(run)
    if run.tally["finished"] == run.tally["generators"]:
        _check_stock(run)


# --- Figures ----------------------------------------------------------------------


def _times(run: "Run") -> dict[str, Any]:
    timelines = {name: getattr(run.ledger, name) for name in TIMES}
    timelines["generator_lag"] = run.vitals.lag
    return {
        f"{name}_{point}": value
        for name, timeline in timelines.items()
        for point, value in timeline.all.summary().items()
        if point != "count"
    }


def _counts(run: "Run") -> dict[str, Any]:
    count, tally = run.ledger.count, run.tally
    return {
        "sockets": tally["sockets"],
        "handshakes": run.ledger.handshake.all.count,
        "failed_handshakes": tally["unsubscribed"],
        "pushes": count["pushes"],
        "hidden": tally["hidden"],
        "hidden_pushes": count["hidden_pushes"],
        "changes": count["changes"],
        "gaps": count["gaps"],
        "unexpected_closes": count["unexpected_closes"],
        "requests": count["requests"],
        "failed_requests": count["failed_requests"],
        "orders": len(run.numbers),
        "orders_refused": count["orders_refused"],
        **fairness.figures(run.drop),
    }


def _rates(run: "Run") -> dict[str, Any]:
    figures: dict[str, Any] = {}
    durations, count = run.durations, run.ledger.count
    if durations.get("connect"):
        rate = run.tally["opened"] / durations["connect"]
        figures["connects_per_s"] = round(rate, 1)
    if "storm" in durations:
        figures["storm_s"] = round(durations["storm"], 2)
    if run.stale is not None:
        figures["stale"] = run.stale.total()
        if not run.stale:
            figures["settle_s"] = round(durations["settle"], 2)
    active = [span for span in run.spans if span[0] in ACTIVE]
    if seconds := sum(end - start for _, start, end in active):
        figures["pushes_per_s"] = round(count["pushes"] / seconds, 1)
        figures["changes_per_s"] = round(count["changes"] / seconds, 1)
    if active:
        slope = run.vitals.memory_slope(*steady_time(active))
        figures["memory_slope_kb_min"] = slope
    return figures


def steady_time(active: list[tuple[str, float, float]]) -> tuple[float, float]:
    """Return from when to when memory should not grow: the second half of these phases,
    without the beginning of the last, which fills caches."""
    (_, first, _), (_, start, end) = active[0], active[-1]
    warm = start + min(WARM_UP_S, (end - start) / 4)
    return max((first + end) / 2, warm), end


# --- Complaints -------------------------------------------------------------------


def _check_sockets(run: "Run") -> None:
    """A generator that is late finds these in a sound shop, too."""
    if stray := run.tally["stray"]:
        patience = run.durations["patience"]
        run.late.append(f"{stray} sockets did not reconnect within {patience:g} s.")
    if run.lost_codes:
        codes = ", ".join(sorted(run.lost_codes))
        lost = run.lost_codes.total()
        run.late.append(f"{lost} sockets were closed ({codes}) and did not reconnect.")
    if run.stale:
        topics = ", ".join(
            f"{topic} on {count} sockets" for topic, count in run.stale.most_common(3)
        )
        run.late.append(f"Sockets show stale state at the end: {topics}.")
    if unclosed := run.tally["unclosed"]:
        run.late.append(f"{unclosed} sockets were not closed within {CLOSE_S} s.")


def _check_orders(run: "Run") -> None:
    if run.unanswered:
        numbers = ", ".join(run.unanswered)
        run.late.append(f"Confirmed orders could not be looked up: {numbers}.")
    if run.lost:
        numbers = ", ".join(run.lost)
        run.wrong.append(f"Confirmed orders are lost: {numbers}.")
    if found := run.miscalculated:
        count, examples = len(found), "; ".join(found[:3])
        run.wrong.append(f"{count} orders are calculated wrongly: {examples}.")
    counts = Counter(run.numbers)
    if twice := [number for number, count in counts.items() if count > 1]:
        run.wrong.append(f"Two people got the same order: {', '.join(twice)}.")


def _check_drop(run: "Run") -> None:
    run.wrong += fairness.faults(run.drop)
    run.late += fairness.late(run.drop)
    if slow := run.ledger.count["slow_pages"]:
        run.late.append(f"{slow} pages of the drop took more than {SLOW_PAGE_S:g} s.")


def _check_stock(run: "Run") -> None:
    """Compare what was there with what was ordered and what is left.

    Units are in doubt if a request that would have changed them got no answer. What is
    left is unknown if the page has a newer version than any socket.
    """
    if run.options.shared:
        return
    for topic, before in sorted(run.stock.items()):
        sold, left = run.sold[topic], run.ledger.units[topic]
        doubt = run.ledger.doubt[topic]
        if sold > before or left < 0:
            run.wrong.append(f"{topic} is oversold: {before} in stock, {sold} ordered.")
        elif not before - sold - doubt <= left <= before - sold:
            newest = run.ledger.newest.get(topic, -1)
            is_known = newest >= run.page_versions.get(topic, -1)
            complaints = run.wrong if is_known else run.late
            complaints.append(
                f"{topic} does not add up: {before} in stock, {sold} ordered, {left}"
                " left. (If other people shop there, use --shared.)"
            )
