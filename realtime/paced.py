"""Sockets that want a frame every so often at most, as a tab does that nobody sees.

What changes meanwhile is not sent to them but owed, by audience: one entry for a
thousand tabs. When their turn comes, each gets one frame with the state as it is then.
"""

import asyncio
import random
import time
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

PARTS = 10  # of each period: hidden tabs of one page don't all get their frame at once


class Slot(NamedTuple):
    """The turn of a paced socket: once in each period, in one part of it."""

    period_ms: int
    part: int


def slot_for(period_ms: int, before: Slot | None) -> Slot | None:
    """A slot for a socket, or none if it wants frames at once. It keeps the one that it
    had before: asking again brings nobody an earlier turn."""
    if not period_ms:
        return None
    if before is not None and before.period_ms == period_ms:
        return before
    return Slot(period_ms, random.randrange(PARTS))


class Debt:
    """What one audience has not been sent yet."""

    __slots__ = ("sent", "since", "ahead")

    def __init__(self) -> None:
        # By key of a topic that has changed: the version that the audience was sent.
        self.sent: dict[str, int] = {}
        self.since: dict[str, float] = {}  # the commit of the oldest change owed
        # Sockets that came meanwhile, and the newer versions that they were sent.
        self.ahead: dict[Hashable, dict[str, int]] = {}


class Debts:
    """The debts by audience; `due` gives the slots whose turn it is.

    An audience is anything hashable with a `slot`.
    """

    def __init__(self) -> None:
        self.due: asyncio.Queue[Slot] = asyncio.Queue()
        self._debts: dict[Any, Debt] = {}
        self._waiting: dict[Slot, set[Any]] = {}  # audiences, by their next turn
        self._phase = random.random()  # each process has its own

    def owe(
        self, audience: Any, sent: Mapping[str, int], since: Mapping[str, float]
    ) -> None:
        """The topics of `sent` have changed; the audience has those versions of them,
        or the ones that it had when they were owed already."""
        debt = self._debt_of(audience)
        for key, version in sent.items():
            debt.sent.setdefault(key, version)
            if key in since:
                debt.since.setdefault(key, since[key])

    def note_ahead(
        self, socket: Hashable, audience: Any, versions: Mapping[str, int]
    ) -> None:
        """The socket has been sent those versions, which its audience has not."""
        self._debt_of(audience).ahead.setdefault(socket, {}).update(versions)

    def of(self, audience: Any) -> Debt | None:
        return self._debts.get(audience)

    def take(self, slot: Slot) -> dict[Any, Debt]:
        """The debts that are to be paid now."""
        waiting = self._waiting.pop(slot, ())
        debts = {audience: self._debts.pop(audience, None) for audience in waiting}
        return {a: debt for a, debt in debts.items() if debt and debt.sent}

    def forget(self, socket: Hashable, audience: Any) -> None:
        """The socket has left the audience."""
        if debt := self._debts.get(audience):
            debt.ahead.pop(socket, None)

    def drop(self, audience: Any) -> None:
        """Nobody is left in it."""
        self._debts.pop(audience, None)

    def clear(self) -> None:
        self._debts.clear()

    def _debt_of(self, audience: Any) -> Debt:
        debt = self._debts.get(audience)
        if debt is None:
            debt = self._debts[audience] = Debt()
            self._wait(audience)
        return debt

    def _wait(self, audience: Any) -> None:
        slot = audience.slot
        if slot not in self._waiting:
            self._waiting[slot] = set()
            loop = asyncio.get_running_loop()
            loop.call_later(self._seconds_to(slot), self.due.put_nowait, slot)
        self._waiting[slot].add(audience)

    def _seconds_to(self, slot: Slot) -> float:
        period = slot.period_ms / 1000
        offset = period * (self._phase + slot.part / PARTS)
        return period - (time.monotonic() - offset) % period
