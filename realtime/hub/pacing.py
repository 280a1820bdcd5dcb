"""Writes to sockets with a pace, when it is their slot's turn."""

import asyncio
import functools

from django.conf import settings

from realtime import metrics, protocol
from realtime.admission import Admission
from realtime.hub import writing
from realtime.hub.audiences import Audiences, slot_of
from realtime.hub.slots import Slot, Turn, Turns
from realtime.hub.sockets import Audience, Socket
from realtime.hub.topics import Topics
from realtime.protocol import Frame


class PacedWriter:
    """Writes what has changed since a slot's last turn, in one frame that is a
    heartbeat too."""

    def __init__(
        self,
        topics: Topics,
        audiences: Audiences,
        turns: Turns,
        admission: Admission[Socket],
    ) -> None:
        self._topics, self._audiences = topics, audiences
        self._turns, self._admission = turns, admission

    async def run(self) -> None:
        while True:
            await self.take_turn(await self._turns.due.get())

    async def take_turn(self, slot: Slot) -> None:
        """Write to each socket of the slot that has news or needs a heartbeat."""
        beat_s = settings.LIVE["HEARTBEAT_S"]
        turn = self._turns.begin(slot, self._topics.changes, beat_s)
        audiences = [a for a in turn.audiences if turn.is_beat or self._news(a, turn)]
        sockets = list({s for a in audiences for s in self._audiences.sockets[a]})
        for start in range(0, len(sockets), writing.YIELD_EVERY):
            self._write(turn, sockets[start : start + writing.YIELD_EVERY], slot)
            await asyncio.sleep(0)

    def _write(self, turn: Turn, sockets: list[Socket], slot: Slot) -> None:
        """Frames are made once for all sockets that watch the same."""
        frame_for = functools.cache(functools.partial(self._frame, turn))
        sent = skipped = 0
        for socket in sockets:
            if slot_of(socket) != slot:
                continue  # it has another pace by now
            frame, keys = frame_for(socket.audiences)
            is_sent = socket.push(frame, keys)
            sent += bool(keys) and is_sent
            skipped += bool(keys) and not is_sent
        metrics.FRAMES.inc(sent)
        metrics.SKIPS.inc(skipped)

    def _frame(
        self, turn: Turn, audiences: tuple[Audience, ...]
    ) -> tuple[Frame, list[str]]:
        """The frame of sockets in these audiences, and the keys of its items.

        Its digest is of the newest versions: after this turn, every socket of the slot
        has these.
        """
        topics = self._topics.by_key
        news = [key for audience in audiences for key in self._news(audience, turn)]
        items = [topics[key].item(audiences[0].language) for key in news]
        watched = [topics[key] for audience in audiences for key in audience.keys]
        total = sum(topic.fingerprint(topic.version) for topic in watched)
        beat = protocol.Beat(total & protocol.MASK, self._admission.spread_ms())
        text = protocol.upd(items, beat=beat) if items else protocol.hb(beat)
        return Frame(text), news

    def _news(self, audience: Audience, turn: Turn) -> list[str]:
        """The keys of topics that have changed since the last turn."""
        topics = self._topics.by_key
        return sorted(k for k in audience.keys if topics[k].changed > turn.since)
