"""Durations, and their percentiles. Memory does not grow with their number."""

import math
from collections import Counter, defaultdict
from typing import Any

GROWTH = 1.01  # each bucket of a histogram ends 1 % above the one before
SMALLEST = 1e-6
_PER_E = 1 / math.log(GROWTH)


class Times:
    """Durations in seconds. Percentiles are at most 1 % too high, never too low."""

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0
        self.least, self.most = math.inf, 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Add one. A negative one, from a clock that was set, counts as zero."""
        seconds = max(seconds, SMALLEST)
        self.count += 1
        self.total += seconds
        self.least, self.most = min(self.least, seconds), max(self.most, seconds)
        self._buckets[math.ceil(math.log(seconds / SMALLEST) * _PER_E)] += 1

    def percentile(self, percent: float) -> float | None:
        """Return the smallest time that so many percent don't exceed, or None."""
        if not self.count:
            return None
        rank, passed = math.ceil(self.count * percent / 100), 0
        for bucket in sorted(self._buckets):
            passed += self._buckets[bucket]
            if passed >= rank:
                return min(SMALLEST * GROWTH**bucket, self.most)
        raise AssertionError("unreachable")

    def sum_above(self, least: float) -> float:
        """Return the sum of those longer than `least`, at most 1 % too high."""
        return sum(
            count * SMALLEST * GROWTH**bucket
            for bucket, count in self._buckets.items()
            if SMALLEST * GROWTH**bucket > least
        )

    def merge(self, raw: dict[str, Any]) -> None:
        """Add durations of another process, as `raw` returns them."""
        if not raw["count"]:
            return
        self.count += int(raw["count"])
        self.total += float(raw["total"])
        self.least = min(self.least, float(raw["least"]))
        self.most = max(self.most, float(raw["most"]))
        for bucket, count in raw["buckets"]:
            self._buckets[int(bucket)] += int(count)

    def raw(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "count": self.count,
            "total": self.total,
            "least": self.least if self.count else 0,
            "most": self.most,
            "buckets": list(self._buckets.items()),
        }

    def summary(self) -> dict[str, float | int | None]:
        """Return count, percentiles and maximum; times in milliseconds."""
        points = {f"p{p}": milliseconds(self.percentile(p)) for p in (50, 95, 99)}
        most = milliseconds(self.most) if self.count else None
        return {"count": self.count, **points, "max": most}


class Timeline:
    """Durations, all together and by the second they happened in."""

    def __init__(self) -> None:
        self.all = Times()
        self.seconds: defaultdict[int, Times] = defaultdict(Times)

    def add(self, at: float, seconds: float) -> None:
        self.all.add(seconds)
        self.seconds[int(at)].add(seconds)

    def merge(self, raw: dict[str, Any]) -> None:
        """Add durations of another process, as `raw` returns them."""
        for second, times in raw["seconds"]:
            self.all.merge(times)
            self.seconds[int(second)].merge(times)

    def raw(self) -> dict[str, Any]:
        return {"seconds": [(at, times.raw()) for at, times in self.seconds.items()]}

    def most_in(self, seconds: int, least: float) -> float:
        """Return the largest sum of those longer than `least`, in so many seconds."""
        sums = {at: times.sum_above(least) for at, times in self.seconds.items()}
        return max(
            (
                sum(sums.get(at - back, 0) for back in range(seconds))
                for at, amount in sums.items()
                if amount
            ),
            default=0,
        )


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def slope(points: list[tuple[float, float]]) -> float | None:
    """Return how fast the second number grows with the first, by least squares."""
    if len(points) < 3:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    together = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return together / spread if spread else None
