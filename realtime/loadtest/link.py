"""Messages between the generators of one load test.

They are lines of JSON: over a socket pair to processes of this machine, over TCP to
those of other machines, which must send a code first.
"""

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from typing import Any

from realtime.loadtest.measures import Times
from realtime.loadtest.run import Run

MAX_LINE = 1 << 28  # bytes: an hour's figures, second by second
Message = dict[str, Any]


class Refused(Exception):
    """Why a generator cannot take part."""


class Link:
    """Sends messages to the other side, and receives them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._reader, self._writer = reader, writer

    def send(self, kind: str, **fields: Any) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"t": kind} | fields).encode() + b"\n")

    async def receive(self) -> Message | None:
        """Return the next message, or None if the other side is gone."""
        try:
            line = await self._reader.readline()
            return json.loads(line) if line else None
        except (OSError, ValueError):
            return None

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


def greeting(code: str) -> bytes:
    """Return the first bytes that a follower sends. Their length is always the same."""
    return hashlib.sha256(code.encode()).hexdigest().encode()


def progress(run: Run) -> Message:
    """Return how far one generator is, in a form that can be added up."""
    return {
        "live": sum(watcher.is_live for watcher in run.watchers),
        "pushes": run.ledger.count["pushes"],
        "orders": len(run.placed),
        "push": run.ledger.push.all.raw(),
    }


def added_up(messages: list[Message]) -> Message:
    """Add up how far several generators are."""
    sums: Counter[str] = Counter()
    times = Times()
    for each in messages:
        sums.update({name: int(each[name]) for name in ("live", "pushes", "orders")})
        times.merge(each["push"])
    return dict(sums) | {"push": times.raw()}
