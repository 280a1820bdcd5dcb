"""Whether messages get through the channel layer."""

import asyncio

from realtime import outages


class Health:
    """Degraded while a server of the layer is away or loses messages: the database is
    then polled."""

    def __init__(self) -> None:
        self.is_degraded = False
        self.alarm = asyncio.Event()  # set when it becomes degraded

    def fail(self, error: Exception) -> None:
        """The layer has failed."""
        outages.report(error)
        if not self.is_degraded:
            self.alarm.set()
        self.is_degraded = True

    def recover(self) -> None:
        """All messages get through again."""
        self.is_degraded = False
        outages.recovered()
