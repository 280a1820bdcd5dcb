"""Writes changes to sockets: one frame for each audience and tick."""

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Mapping

from django.conf import settings

from realtime import metrics, protocol
from realtime.hub.audiences import Audiences
from realtime.hub.sockets import Audience
from realtime.hub.topics import Topic, Topics
from realtime.protocol import Frame

logger = logging.getLogger(__name__)

YIELD_EVERY = 100  # sockets written to before other tasks get a turn


class Writer:
    """Writes to sockets without a pace."""

    def __init__(self, topics: Topics, audiences: Audiences) -> None:
        self.lock = asyncio.Lock()  # held during a fan-out
        self._topics, self._audiences = topics, audiences

    async def run(self) -> None:
        """Write changes at the beats of a clock. Each process has a phase of its own,
        so that processes that hear of a sale at once do not write at once."""
        tick = settings.LIVE["TICK_MS"] / 1000
        phase = random.uniform(0, tick)
        while True:
            await self._topics.changed.wait()
            await asyncio.sleep(tick - (time.monotonic() - phase) % tick)
            keys = self._topics.take_dirty()
            async with self.lock:
                await self.write(keys)

    async def write(self, changed: set[str]) -> None:
        """Write these topics to all their audiences."""
        begun, written, skipped = time.monotonic(), 0, 0
        since = self._mark_sent(changed)
        listening, sockets_of = self._audiences.listening, self._audiences.sockets
        audiences = {a for key in changed for a in listening.get(key, ())}
        for audience in audiences:
            keys = audience.keys & changed
            frame = self._frame(audience, keys, since)
            for socket in tuple(sockets_of.get(audience, ())):
                skipped += not socket.push(frame, keys)
                written += 1
                if written % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        metrics.FRAMES.inc(written - skipped)
        metrics.SKIPS.inc(skipped)
        metrics.TICK.observe(time.monotonic() - begun)
        _note_lags(since)

    def write_now(self, key: str) -> None:
        """Write a personal topic without waiting for the tick, if it has changed."""
        if key not in self._topics.dirty:
            return
        self._topics.dirty.discard(key)
        since = self._mark_sent([key])
        for audience in tuple(self._audiences.listening.get(key, ())):
            frame = self._frame(audience, [key], since)
            sockets = tuple(self._audiences.sockets[audience])
            sent = sum(socket.push(frame, (key,)) for socket in sockets)
            metrics.FRAMES.inc(sent)
            metrics.SKIPS.inc(len(sockets) - sent)
        _note_lags(since)

    def _mark_sent(self, keys: Iterable[str]) -> dict[str, float]:
        """Mark the newest versions as sent. Returns for each topic the commit of the
        oldest change that now goes out, if it is known."""
        since, is_logged = {}, logger.isEnabledFor(logging.DEBUG)
        for key in keys:
            topic = self._topics.by_key[key]
            topic.sent = topic.version
            if topic.waiting_since is not None:
                since[key], topic.waiting_since = topic.waiting_since, None
            if is_logged:
                _log(topic)
        return since

    def _frame(
        self, audience: Audience, keys: Iterable[str], since: Mapping[str, float]
    ) -> Frame:
        topics = self._topics.by_key
        items = [topics[key].item(audience.language) for key in sorted(keys)]
        oldest = min((since[key] for key in keys if key in since), default=None)
        return Frame(protocol.upd(items, oldest))


def _log(topic: Topic) -> None:
    """Log a change that goes out. A key may be a secret (`order:<token>`), its kind is
    not."""
    logger.debug(
        "Pushing %s, version %s, to those who watch it (%s)",
        *(topic.key.partition(":")[0], topic.sent, topic.watchers),
        extra={"request_id": topic.request_id},
    )


def _note_lags(since: Mapping[str, float]) -> None:
    now = time.time()
    for moment in since.values():
        metrics.PUSH_LAG.observe(max(0, now - moment))
