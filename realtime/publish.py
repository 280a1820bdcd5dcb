"""Publishes events: everything that changes state calls `publish()` after the commit.

A push is a hint. It may be lost, doubled or reordered without harm, because state
carries its version and the hub compares it with the database. So publishing never waits
and never fails. A background thread sends, and of each topic only the newest event.
"""

import asyncio
import hashlib
import logging
import time
from typing import Any

from channels.layers import get_channel_layer

from realtime import outages, request_ids
from realtime.sending import EXIT_TIMEOUT_S, BackgroundSender, Send

logger = logging.getLogger(__name__)

SEND_TIMEOUT_S = 2
PEOPLE = "people"  # the topic, and so the group, of changes to accounts and sessions
EVERYBODY = "everybody"

Event = dict[str, Any]


def group_of(topic: str) -> str:
    """Return the channel layer's group that carries a topic's events."""
    return "live." + topic.replace(":", ".")


def publish(topic: str, *, version: int, facts: dict[str, Any] | None = None) -> None:
    """Tell every process that `topic` now has `version`.

    `facts` is the new state; None means "load it if anyone watches". Call this after
    the commit. It returns at once and raises nothing: if Redis does not take the event,
    that is logged, and the hubs find the change in the database.
    """
    event = {"type": "live", "topic": topic, "version": version, "facts": facts}
    event = _with_request_id(event | {"at": time.time()})
    _sender.put(event, key=topic, merge=_newest)


def person(user_id: int) -> str:
    """Return the name under which changes to an account are announced."""
    return f"u{user_id}"


def session(key: str) -> str:
    """Return the name under which a session is announced: a hash of its secret key."""
    return "s" + hashlib.sha256(key.encode()).hexdigest()[:32]


def announce(name: str) -> None:
    """Tell every process that an account or a session has changed or ended.

    `name` comes from `person` or `session`, or is EVERYBODY. Call this after the
    commit. It returns at once and raises nothing.
    """
    event = {"type": "live", "topic": PEOPLE, "version": 0, "of": name}
    _sender.put(_with_request_id(event), key=f"{PEOPLE}:{name}", merge=_newest)


def _with_request_id(event: Event) -> Event:
    """Add the id of the request that caused the event, for the receivers' logs."""
    if request_id := request_ids.current():
        event["request_id"] = request_id
    return event


def flush(timeout: float = EXIT_TIMEOUT_S) -> bool:
    """Wait at most `timeout` seconds until all is sent, and return whether it is."""
    return _sender.flush(timeout)


def _newest(waiting: Event, event: Event) -> Event:
    """Return the newer event, with the time of the first: that is how long somebody has
    waited for a push."""
    if waiting["version"] > event["version"]:
        return waiting
    if "at" in waiting:
        return event | {"at": waiting["at"]}
    return event


def _open_connection() -> Send[Event]:
    """One event loop for the thread, so that one connection to Redis serves all."""
    runner = asyncio.Runner()
    return lambda events: runner.run(_send(events))


async def _send(events: list[Event]) -> None:
    layer = get_channel_layer()
    try:
        for event in events:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await layer.group_send(group_of(event["topic"]), event)
    except Exception as error:  # whatever a broken connection raises
        if outages.state_of(error):
            outages.report(error)
        else:
            logger.exception("Events were not sent")


_sender: BackgroundSender[Event] = BackgroundSender("publisher", _open_connection)
