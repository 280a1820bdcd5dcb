"""A message to ourselves. The layer does not say when it loses messages."""

import asyncio
import time
import uuid
from typing import Any

from realtime import metrics
from realtime.hub.groups import LAYER_TIMEOUT_S
from realtime.hub.health import Health
from realtime.layer import Layer
from realtime.publish import group_of


class Probe:
    """Sends a message through each server of the layer and waits for all of them."""

    def __init__(self, layer: Layer, health: Health) -> None:
        self.topic = f"probe:{uuid.uuid4().hex}"
        self._layer, self._health = layer, health
        self._unheard: set[str] = set()  # groups whose message has not come back
        self._echo = asyncio.Event()

    def groups(self) -> list[str]:
        """One for each server of the layer, as each may lose messages."""
        return self._layer.group_on_each(group_of(self.topic))

    async def send(self) -> None:
        for group in self.groups():
            message = {"type": "probe", "topic": self.topic, "group": group}
            await self._layer.group_send(group, message)

    def hear(self, event: dict[str, Any]) -> None:
        """A message has come back."""
        self._unheard.discard(event["group"])
        if not self._unheard:
            self._echo.set()

    async def comes_back(self) -> bool:
        """Send the messages; whether all of them come back. Raises what the layer
        raises if a server takes none."""
        self._unheard = set(self.groups())
        self._echo.clear()
        begun = time.monotonic()
        async with asyncio.timeout(LAYER_TIMEOUT_S):
            await self.send()
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._echo.wait()
        except TimeoutError:
            error = TimeoutError("messages are sent, but none comes back")
            self._health.fail(error)
            return False
        metrics.PROBE.observe(time.monotonic() - begun)
        return True
