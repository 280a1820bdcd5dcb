"""A generator that follows the leader of a test."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Callable

from realtime.loadtest import merging
from realtime.loadtest import options as flags
from realtime.loadtest.link import MAX_LINE, Link, Refused, greeting, progress
from realtime.loadtest.run import Part, Run
from realtime.loadtest.visit import Unreachable

PROGRESS_S = 1.0

Allow = Callable[[int], str | None]


async def follow(own: argparse.Namespace, allow: Allow) -> int:
    """Follow the leader of a test. Returns the exit code. Raises `Refused`."""
    if own.join == flags.PARENT:
        pair = socket.socket(fileno=os.dup(sys.stdin.fileno()))
        reader, writer = await asyncio.open_connection(sock=pair, limit=MAX_LINE)
    else:
        host, port = flags.place(own.join)
        reader, writer = await asyncio.open_connection(host, port, limit=MAX_LINE)
        writer.write(greeting(own.code))
    link = Link(reader, writer)
    try:
        return await _follow(link, own, allow)
    finally:
        await link.close()


async def _follow(link: Link, own: argparse.Namespace, allow: Allow) -> int:
    order = await link.receive()
    if order is None:
        raise Refused(f"{own.join} refused us: is the code right?")
    try:
        options = flags.from_leader(order["options"], own, int(order["of"]))
        if complaint := allow(-(-options.sockets // int(order["of"]))):
            raise ValueError(complaint)
    except (KeyError, TypeError, ValueError) as error:
        link.send("refused", why=str(error))
        raise Refused(str(error)) from error
    link.send("ready")
    return await _Follower(
        link, options, int(order["index"]), int(order["of"])
    ).follow()


class _Follower:
    def __init__(
        self, link: Link, options: argparse.Namespace, index: int, of: int
    ) -> None:
        self.link = link
        self._steps: dict[str, asyncio.Future] = {}  # that the leader is to confirm
        self.run = Run(options, lambda text: None, Part(index, of, self.meet))

    async def meet(self, step: str) -> None:
        """Wait until all generators have reached a step."""
        self._steps[step] = asyncio.get_running_loop().create_future()
        self.link.send("at", step=step)
        await self._steps[step]

    async def follow(self) -> int:
        load = asyncio.create_task(self.run.run())
        others = [
            asyncio.create_task(self._obey(load)),
            asyncio.create_task(self._report_progress()),
        ]
        try:
            await asyncio.wait([load])
            self._send_results(load)
            return 0
        finally:
            for job in (load, *others):
                job.cancel()
            await asyncio.gather(load, *others, return_exceptions=True)

    def _send_results(self, load: asyncio.Task) -> None:
        error = None if load.cancelled() else load.exception()
        if isinstance(error, Unreachable):
            self.link.send("unreachable", why=str(error))
        elif error is not None:
            raise error
        else:
            self.link.send("results", raw=merging.raw(self.run))

    async def _obey(self, load: asyncio.Task) -> None:
        while (order := await self.link.receive()) is not None and order["t"] == "go":
            self._steps[order["step"]].set_result(None)
        load.cancel()  # the leader says stop, or has gone

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            self.link.send("progress", **progress(self.run))
