"""Turns of sockets that want a frame every so often at most, as a tab does that nobody
sees.

A change costs nothing for them. They share slots: in its turn, once in each period, a
slot's sockets get one frame with what has changed since the last turn, as it is then.
"""

import asyncio
import random
import time
from typing import Any, NamedTuple

PARTS = 10  # of each period: hidden tabs of one page don't all get their frame at once


class Slot(NamedTuple):
    """The turn of a paced socket: once in each period, in one part of it."""

    period_ms: int
    part: int


def slot_for(pace_ms: int, before: Slot | None, grain_ms: int) -> Slot | None:
    """A slot for a socket, or none if it wants frames at once.

    Its period is the pace, rounded up to a multiple of `grain_ms`: so there are few
    slots, whatever clients ask for. A socket keeps the slot that it had before: asking
    again brings nobody an earlier turn.
    """
    if not pace_ms:
        return None
    period_ms = -(-pace_ms // grain_ms) * grain_ms
    if before is not None and before.period_ms == period_ms:
        return before
    return Slot(period_ms, random.randrange(PARTS))


class Turn(NamedTuple):
    """What a slot gets now."""

    audiences: list[Any]
    since: int  # how many changes there had been at its last turn
    is_beat: bool  # who has no news gets a sign of life


class _Waiting:
    """A slot that somebody is in."""

    __slots__ = ("audiences", "changes", "beaten_at")

    def __init__(self, changes: int) -> None:
        self.audiences: set[Any] = set()
        self.changes = changes  # that there had been at its last turn
        self.beaten_at = time.monotonic()


class Turns:
    """Which audiences are in which slot; `due` gives the slots whose turn it is.

    An audience is anything hashable with a `slot`.
    """

    def __init__(self) -> None:
        self.due: asyncio.Queue[Slot] = asyncio.Queue()
        self._slots: dict[Slot, _Waiting] = {}
        self._phase = random.random()  # each process has its own

    def enter(self, audience: Any, changes: int) -> None:
        """The audience has its slot's turns from now on, when there have been so many
        changes."""
        waiting = self._slots.get(audience.slot)
        if waiting is None:
            waiting = self._slots[audience.slot] = _Waiting(changes)
            self._wait_for(audience.slot)
        waiting.audiences.add(audience)

    def leave(self, audience: Any) -> None:
        self._slots[audience.slot].audiences.discard(audience)

    def begin(self, slot: Slot, changes: int, beat_s: float) -> Turn:
        """The slot's turn, after so many changes, with a sign of life every `beat_s`
        seconds or, if that is longer, in each turn."""
        waiting = self._slots[slot]
        if not waiting.audiences:
            del self._slots[slot]
            return Turn([], changes, is_beat=False)
        self._wait_for(slot)
        now, since = time.monotonic(), waiting.changes
        is_beat = now - waiting.beaten_at + slot.period_ms / 2000 >= beat_s
        if is_beat:
            waiting.beaten_at = now
        waiting.changes = changes
        return Turn(list(waiting.audiences), since, is_beat)

    def _wait_for(self, slot: Slot) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._seconds_to(slot), self.due.put_nowait, slot)

    def _seconds_to(self, slot: Slot) -> float:
        period = slot.period_ms / 1000
        offset = period * (self._phase + slot.part / PARTS)
        return period - (time.monotonic() - offset) % period
