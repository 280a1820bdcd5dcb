"""The one door through which events leave: `publish()`, after the commit.

A push is a hint: it may be lost, doubled or reordered without harm, because state
carries its version and the hub compares with the database. So publishing never waits
and never fails: a thread of its own sends, and keeps only the newest event a topic.
"""

import asyncio
import atexit
import hashlib
import logging
import os
import threading
import time
from typing import Any

from channels.layers import get_channel_layer

from realtime import outages, request_ids

logger = logging.getLogger(__name__)

SEND_TIMEOUT_S = 2
EXIT_TIMEOUT_S = 2

Event = dict[str, Any]


def group_of(topic: str) -> str:
    """The channel-layer group that carries a topic's events."""
    return "live." + topic.replace(":", ".")


def publish(topic: str, *, version: int, facts: dict | None = None) -> None:
    """Tell every process that `topic` now has `version`.

    `facts` is the new state; None means "look it up if anyone watches". Call it after
    the commit. Returns at once and raises nothing: what Redis does not take is logged,
    and the hubs find it in the database.
    """
    event = {"type": "live", "topic": topic, "version": version, "facts": facts}
    _publisher.put(topic, _signed(event | {"at": time.time()}))


PEOPLE = "people"  # the topic, and so the group, of what concerns identities
EVERYBODY = "everybody"


def person(user_id: int) -> str:
    """The name under which an account is announced."""
    return f"u{user_id}"


def session(key: str) -> str:
    """The name under which a session is announced. The key itself stays at home."""
    return "s" + hashlib.sha256(key.encode()).hexdigest()[:32]


def announce(name: str) -> None:
    """Tell every process that what it knows of `name` (`person`, `session` or
    EVERYBODY) is out of date: an account or a session has changed or ended.

    Call it after the commit. Returns at once and raises nothing.
    """
    event = {"type": "live", "topic": PEOPLE, "version": 0, "of": name}
    _publisher.put(f"{PEOPLE}:{name}", _signed(event))


def _signed(event: Event) -> Event:
    """With the id of the request that caused it, for the log of those who hear it."""
    if request_id := request_ids.current():
        event["request_id"] = request_id
    return event


def flush(timeout: float = EXIT_TIMEOUT_S) -> bool:
    """Wait at most `timeout` seconds until all is sent; whether it was."""
    return _publisher.flush(timeout)


class Publisher:
    """A thread with an event loop of its own, so that one connection serves all."""

    def __init__(self) -> None:
        self._pending: dict[str, Event] = {}
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, topic: str, event: Event) -> None:
        with self._lock:
            known = self._pending.get(topic)
            if known is None or known["version"] <= event["version"]:
                self._pending[topic] = _since(known, event)
            self._idle.clear()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="publisher", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def flush(self, timeout: float) -> bool:
        return self._idle.wait(timeout)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while True:
                self._wake.wait()
                self._wake.clear()
                while events := self._take():
                    runner.run(self._send(events))

    def _take(self) -> list[Event]:
        with self._lock:
            events = list(self._pending.values())
            self._pending.clear()
            if not events:
                self._idle.set()
            return events

    async def _send(self, events: list[Event]) -> None:
        layer = get_channel_layer()
        try:
            for event in events:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await layer.group_send(group_of(event["topic"]), event)
        except Exception as error:  # whatever a broken connection raises
            if outages.state_of(error):
                outages.met(error)
            else:
                logger.exception("Events were not sent")


def _since(known: Event | None, event: Event) -> Event:
    """The newer event, but from the moment of the one that it replaces: how long
    somebody has waited counts from there."""
    if known is not None and "at" in known:
        return event | {"at": known["at"]}
    return event


def _start_afresh() -> None:
    """Threads do not survive a fork: a Celery child makes its own."""
    global _publisher
    _publisher = Publisher()


_publisher = Publisher()
os.register_at_fork(after_in_child=_start_afresh)
atexit.register(lambda: flush())
