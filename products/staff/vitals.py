"""The numbers and drawings of the pulse page, for each process with sockets."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from realtime import pulse
from realtime.pulse import Process, Sample

WIDTH, HEIGHT = 120, 32  # of a drawing, in SVG units
RECENT = 16  # samples, which are half a minute
NOTHING = "–"

Line = list[float | None]
Samples = tuple[Sample, ...]


@dataclass
class Card:
    """One number: its name, its value now, and its last two minutes."""

    key: str
    title: str | Promise
    value: str
    hint: str
    line: Line
    limit: float | None = None  # above it, somebody should look
    is_high: bool = False

    @property
    def path(self) -> str:
        """The line as an SVG path. Unknown values are gaps."""
        top = self._top()
        step = WIDTH / (pulse.MAX_SAMPLES - 1)
        first = pulse.MAX_SAMPLES - len(self.line)  # the newest is at the right edge
        parts, pen = [], "M"
        for number, value in enumerate(self.line, start=first):
            if value is None:
                pen = "M"
                continue
            parts.append(f"{pen}{number * step:.1f} {_height(value, top):.1f}")
            if pen == "M":
                parts.append("h0")  # a dot, if no neighbour is known
            pen = "L"
        return "".join(parts)

    @property
    def limit_height(self) -> str:
        """The height of the limit in the drawing. None if it is far above the line."""
        if self.limit is None or not self.is_near():
            return ""
        return f"{_height(self.limit, self._top()):.1f}"

    def is_near(self) -> bool:
        """Whether the line is near its limit."""
        limit = self.limit or 0
        return limit > 0 and 2 * self._highest() >= limit

    def _highest(self) -> float:
        return max((value for value in self.line if value is not None), default=0)

    def _top(self) -> float:
        """The value at the full height. With a limit, small noise stays small."""
        return max(self._highest(), (self.limit or 0) / 2) or 1


class Part:
    """One process. Its texts are in the current language."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid, self.host = process.pid, process.host
        self.started = datetime.fromtimestamp(process.started, UTC)
        self.is_degraded = bool(process.samples[-1].sums["degraded"])

    @property
    def cards(self) -> list[Card]:
        return cards(self._process)

    @property
    def facts(self) -> dict:
        sockets = int(sum(self._process.kinds.values()))
        return {"pid": self.pid, "host": self.host, "sockets": sockets}


def cards(process: Process) -> list[Card]:
    """The cards of the process, the most important first."""
    samples = process.samples
    return [
        _sockets(process),
        _wait(samples, "push", _("Push lag"), _("from commit to write"), 0.25),
        _wait(
            samples, "loop", _("Loop lag"), _("how late the event loop wakes up"), 0.05
        ),
        _wait(
            samples, "tick", _("Tick"), _("time to write the frames of one tick"), 0.25
        ),
        _frames(samples),
        _slow(samples),
        _refusals(samples),
        _redis(samples),
        _cpu(samples),
        _memory(samples),
    ]


# --- Cards ------------------------------------------------------------------------


def _sockets(process: Process) -> Card:
    line = pulse.levels("sockets", process.samples)
    kinds = {kind: _whole(number) for kind, number in process.kinds.items()}
    hint = _("%(public)s public, %(personal)s personal") % kinds
    return Card("sockets", _("Sockets"), _whole(line[-1]), hint, line)


def _wait(samples: Samples, name: str, title: str, what: str, limit: float) -> Card:
    """The 99th percentile of the last half minute."""
    recent = samples[-RECENT:]
    most = pulse.quantile(name, 0.99, recent[0], recent[-1])
    half = pulse.quantile(name, 0.5, recent[0], recent[-1])
    hint = _("median %(time)s, %(what)s") % {"time": _time(half), "what": what}
    if half is None:
        hint = what
    line = pulse.quantiles(name, 0.99, samples)
    is_high = most is not None and most > limit
    return Card(name, f"{title}, p99", _time(most), hint, line, limit, is_high)


def _frames(samples: Samples) -> Card:
    line = pulse.rates("frames", samples)
    dirty = int(samples[-1].sums["dirty"])
    hint = ngettext("%(n)s topic waiting", "%(n)s topics waiting", dirty)
    value = _whole(_recent_rate("frames", samples))
    return Card(
        "frames", _("Frames a second"), value, hint % {"n": _whole(dirty)}, line
    )


def _slow(samples: Samples) -> Card:
    line = pulse.levels("slow", samples)
    now = samples[-1].sums
    numbers = {"skips": _whole(now["skips"]), "cuts": _whole(now["cuts"])}
    hint = _("%(skips)s frames skipped, %(cuts)s sockets cut") % numbers
    value = _whole(line[-1])
    return Card("slow", _("Slow sockets"), value, hint, line, 1, bool(line[-1]))


def _refusals(samples: Samples) -> Card:
    """The refusals of the last two minutes."""
    newest = samples[-1].sums["refusals"]
    fresh = newest - samples[0].sums["refusals"]
    hint = _("in the last 2 minutes; %(n)s since the start") % {"n": _whole(newest)}
    line = pulse.rates("refusals", samples)
    return Card(
        "refusals", _("Refusals"), _whole(fresh), hint, line, 1, is_high=fresh > 0
    )


def _redis(samples: Samples) -> Card:
    recent, now = samples[-RECENT:], samples[-1].sums
    is_away = bool(now["degraded"])
    wait = pulse.quantile("probe", 0.5, recent[0], recent[-1])
    numbers = {"gaps": _whole(now["gaps"]), "resyncs": _whole(now["resyncs"])}
    hint = _("%(gaps)s gaps, %(resyncs)s resyncs since the start") % numbers
    line = pulse.quantiles("probe", 0.5, samples)
    value = _("away") if is_away else _time(wait)
    return Card("redis", _("Redis and back"), value, hint, line, 0.25, is_away)


def _cpu(samples: Samples) -> Card:
    line = [share and 100 * share for share in pulse.rates("cpu", samples)]
    share = _recent_rate("cpu", samples)
    value = NOTHING if share is None else f"{_whole(100 * share)} %"
    hint = _("of one core, over 30 seconds")
    is_high = share is not None and share > 0.9
    return Card("cpu", _("Processor"), value, hint, line, 90, is_high)


def _memory(samples: Samples) -> Card:
    line = pulse.levels("memory", samples)
    value = NOTHING if line[-1] is None else filesizeformat(line[-1])
    return Card("memory", _("Memory"), value, _("of the process"), line)


def _recent_rate(name: str, samples: Samples) -> float | None:
    """Return the growth of a sum a second, over the last half minute."""
    recent = samples[-RECENT:]
    return pulse.rate(name, recent[0], recent[-1])


# --- Numbers as text --------------------------------------------------------------


def _whole(number: float | None) -> str:
    if number is None:
        return NOTHING
    return number_format(round(number), 0, force_grouping=True)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    if seconds >= 1:
        return _("%(n)s s") % {"n": number_format(seconds, 1)}
    digits = 0 if seconds >= 0.01 else 1
    return _("%(n)s ms") % {"n": number_format(round(1000 * seconds, digits), digits)}


def _height(value: float, top: float) -> float:
    """Return the distance from the upper edge, with room for the line's width."""
    return HEIGHT - 1.5 - (HEIGHT - 3) * min(1, value / top)
