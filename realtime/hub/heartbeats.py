"""A heartbeat to every socket: proof of life, and a check of what its page shows."""

import asyncio
import functools
from collections.abc import Iterable

from django.conf import settings

from realtime import protocol
from realtime.admission import Admission
from realtime.hub.audiences import Audiences
from realtime.hub.sockets import Audience, Socket
from realtime.hub.topics import Topics
from realtime.hub.writing import YIELD_EVERY
from realtime.protocol import Frame


class Heartbeats:
    """For sockets without a pace; the others have a heartbeat in their turn.

    `writing` is held during a fan-out: a digest in the middle of one would be wrong.
    """

    def __init__(
        self,
        topics: Topics,
        audiences: Audiences,
        admission: Admission[Socket],
        writing: asyncio.Lock,
    ) -> None:
        self._topics, self._audiences = topics, audiences
        self._admission, self._writing = admission, writing

    async def run(self) -> None:
        while True:
            await asyncio.sleep(settings.LIVE["HEARTBEAT_S"])
            sockets = self._audiences.sockets_without_slot()
            for start in range(0, len(sockets), YIELD_EVERY):
                async with self._writing:
                    self.beat(sockets[start : start + YIELD_EVERY])
                await asyncio.sleep(0)

    def beat(self, sockets: Iterable[Socket]) -> None:
        """Send each of these sockets a heartbeat."""
        digest = functools.cache(self._digest)
        spread = self._admission.spread_ms()
        for socket in sockets:
            total = sum(map(digest, socket.audiences))
            beat = protocol.Beat(total & protocol.MASK, spread)
            socket.push(Frame(protocol.hb(beat)), ())

    def _digest(self, audience: Audience) -> int:
        """The digest of the versions that the audience has been sent."""
        topics = [self._topics.by_key[key] for key in audience.keys]
        return sum(topic.fingerprint(topic.sent) for topic in topics)
