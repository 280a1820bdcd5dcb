"""Slots of sockets that want few frames, as hidden tabs do.

A change costs nothing for them. Sockets share slots. Once per period a slot has its
turn: its sockets get one frame with the newest state of what has changed since the last
turn.
"""

import asyncio
import random
import time
from typing import Any, NamedTuple

PARTS = 10  # of a period, so that not all hidden tabs get their frame at once


class Slot(NamedTuple):
    """When a socket has its turn: once per period, in one part of it."""

    period_ms: int
    part: int


def slot_for(pace_ms: int, before: Slot | None, grain_ms: int) -> Slot | None:
    """Return a slot for a socket, or None if it wants frames at once.

    The period is the pace, rounded up to a multiple of `grain_ms`, so that there are
    few slots. A socket keeps its slot: subscribing again brings no earlier turn.
    """
    if not pace_ms:
        return None
    period_ms = -(-pace_ms // grain_ms) * grain_ms
    if before is not None and before.period_ms == period_ms:
        return before
    return Slot(period_ms, random.randrange(PARTS))


class Turn(NamedTuple):
    """Return the frame for a slot's sockets."""

    audiences: list[Any]
    since: int  # the number of changes at its last turn
    is_beat: bool  # audiences without changes get a heartbeat


class _SlotState:
    """The audiences of a slot, and its last turn."""

    __slots__ = ("audiences", "changes", "beaten_at")

    def __init__(self, changes: int) -> None:
        self.audiences: set[Any] = set()
        self.changes = changes  # the number of changes at its last turn
        self.beaten_at = time.monotonic()


class Turns:
    """Which audiences are in which slot. `due` has the slots whose turn has come.

    An audience is anything hashable with a `slot`.
    """

    def __init__(self) -> None:
        self.due: asyncio.Queue[Slot] = asyncio.Queue()
        self._slots: dict[Slot, _SlotState] = {}
        self._phase = random.random()  # each process has its own

    def enter(self, audience: Any, changes: int) -> None:
        """Put an audience into its slot. So far there have been so many changes."""
        state = self._slots.get(audience.slot)
        if state is None:
            state = self._slots[audience.slot] = _SlotState(changes)
            self._schedule(audience.slot)
        state.audiences.add(audience)

    def leave(self, audience: Any) -> None:
        self._slots[audience.slot].audiences.discard(audience)

    def begin(self, slot: Slot, changes: int, beat_s: float) -> Turn:
        """Return the turn of a slot, after so many changes. It is a heartbeat every
        `beat_s` seconds, or in each turn if turns are rarer."""
        state = self._slots[slot]
        if not state.audiences:
            del self._slots[slot]
            return Turn([], changes, is_beat=False)
        self._schedule(slot)
        now, since = time.monotonic(), state.changes
        is_beat = now - state.beaten_at + slot.period_ms / 2000 >= beat_s
        if is_beat:
            state.beaten_at = now
        state.changes = changes
        return Turn(list(state.audiences), since, is_beat)

    def _schedule(self, slot: Slot) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(self._seconds_to(slot), self.due.put_nowait, slot)

    def _seconds_to(self, slot: Slot) -> float:
        period = slot.period_ms / 1000
        offset = period * (self._phase + slot.part / PARTS)
        return period - (time.monotonic() - offset) % period
