"""Notes how this process does."""

import asyncio
import time

from realtime import metrics, pulse
from realtime.hub.loading import Loader
from realtime.hub.topics import Topics

LOOP_CHECK_S = 0.1


class Monitor:
    """Measures the event loop and keeps the pulse. `pulse_key` is the registry's."""

    def __init__(self, topics: Topics, loader: Loader, pulse_key: str | None) -> None:
        self._topics, self._loader, self._pulse_key = topics, loader, pulse_key

    async def watch_loop(self) -> None:
        """Measure how late the event loop wakes: everything it serves is as late."""
        while True:
            due = time.monotonic() + LOOP_CHECK_S
            await asyncio.sleep(LOOP_CHECK_S)
            metrics.LOOP_LAG.observe(max(0, time.monotonic() - due))

    async def note_pulse(self) -> None:
        """Note the numbers. No message announces them to pulse pages that are open."""
        while True:
            pulse.note()
            if self._pulse_key is not None and self._is_pulse_watched():
                self._loader.reload([self._pulse_key])
            await asyncio.sleep(pulse.EVERY_S)

    async def exchange_pulses(self) -> None:
        """Apart from noting, as the cache may not answer."""
        while True:
            is_watched = self._is_pulse_watched()
            await asyncio.to_thread(pulse.exchange, is_watched=is_watched)
            await asyncio.sleep(pulse.EVERY_S)

    def _is_pulse_watched(self) -> bool:
        return self._topics.is_watched(self._pulse_key)
