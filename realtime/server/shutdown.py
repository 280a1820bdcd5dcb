"""Stops the server politely.

`/readyz` says that the process is draining, sockets are told to reconnect elsewhere,
and pages that are being made are answered. Until then clients can still connect.
"""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.conf import settings

from realtime import draining
from realtime.server.gate import BACKLOG, MAX_ACCEPTS
from realtime.server.startup import end_process

if TYPE_CHECKING:
    from realtime.server.server import Server

logger = logging.getLogger("realtime.server")

POLL_S = 0.05
LAST_REQUEST_S = 0.2  # for the clients accepted last to send their request
THREADS_END_S = 2  # for threads to end, after everything else


async def shut_down(server: "Server") -> None:
    """Drain the server, and end its applications and the hub. Raises nothing."""
    draining.begin()
    try:
        await _drain(server)
    except Exception:  # Twisted would hide it
        logger.exception("The process ends without draining")
    await _end_applications(server)


async def _drain(server: "Server") -> None:
    # Load balancers see /readyz fail while pages are still answered.
    await asyncio.sleep(settings.LIVE["NOTICE_S"])
    await _end_sockets(server)
    for port in server.ports:
        _close_port(port, is_shared=server.has_shared_port())
    await asyncio.sleep(LAST_REQUEST_S)
    await _wait_until(lambda: not server.pages)


async def _end_sockets(server: "Server") -> None:
    from realtime.hub import running_hub  # not before the application is loaded

    if (hub := running_hub()) is not None:
        await hub.farewell()
    await _wait_until(lambda: not server.open_sockets())


async def _end_applications(server: "Server") -> None:
    from realtime.hub import stop_hub

    tasks = [
        details["application_instance"]
        for details in server.connections.values()
        if "application_instance" in details
    ]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await stop_hub()


async def _wait_until(is_done: Callable[[], bool]) -> None:
    """Wait at most `DRAIN_S` seconds."""
    end = time.monotonic() + settings.LIVE["DRAIN_S"]
    while not is_done() and time.monotonic() < end:
        await asyncio.sleep(POLL_S)


def _close_port(port: Any, *, is_shared: bool) -> None:
    """Accept the connections that the system has accepted already, and no others.

    A proxy may not send a form to another process once it has sent it here. A listening
    socket that belongs to another process too (systemd's) stays open.
    """
    for _ in range(0, BACKLOG, MAX_ACCEPTS):
        port.numberAccepts = MAX_ACCEPTS
        port.doRead()
    if not is_shared:
        # Twisted closes it in the loop's next iteration; until then others would
        # connect.
        with contextlib.suppress(OSError):
            port.socket.shutdown(socket.SHUT_RDWR)
    port.stopListening()


def end_soon() -> None:
    """End the process although a thread is in a query that never ends: such a thread
    cannot be ended, and Python waits for it."""
    timer = threading.Timer(THREADS_END_S, _give_up)
    timer.daemon = True
    timer.start()


def _give_up() -> None:
    logger.warning("The process ends with a page or a query unfinished")
    end_process(0)
