"""Figures: times by percentile, in the same memory however many there are."""

import math
from collections import Counter, defaultdict

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
        """Note one. What a clock that was set makes negative counts as nothing."""
        seconds = max(seconds, SMALLEST)
        self.count += 1
        self.total += seconds
        self.least, self.most = min(self.least, seconds), max(self.most, seconds)
        self._buckets[math.ceil(math.log(seconds / SMALLEST) * _PER_E)] += 1

    def percentile(self, percent: float) -> float | None:
        """The least time that so many percent do not exceed; None if there are none."""
        if not self.count:
            return None
        rank, passed = math.ceil(self.count * percent / 100), 0
        for bucket in sorted(self._buckets):
            passed += self._buckets[bucket]
            if passed >= rank:
                return min(SMALLEST * GROWTH**bucket, self.most)
        raise AssertionError("unreachable")

    def summary(self) -> dict[str, float | int | None]:
        """What reports say of it; times in milliseconds."""
        points = {f"p{p}": milliseconds(self.percentile(p)) for p in (50, 95, 99)}
        most = milliseconds(self.most) if self.count else None
        return {"count": self.count, **points, "max": most}


class Timeline:
    """The same, kept apart by the second it happened in, since the start."""

    def __init__(self) -> None:
        self.all = Times()
        self.seconds: defaultdict[int, Times] = defaultdict(Times)

    def add(self, at: float, seconds: float) -> None:
        self.all.add(seconds)
        self.seconds[int(at)].add(seconds)


def milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def slope(points: list[tuple[float, float]]) -> float | None:
    """How fast the second number grows with the first, by least squares."""
    if len(points) < 3:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    together = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return together / spread if spread else None
