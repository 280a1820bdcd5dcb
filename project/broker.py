"""Celery on a Redis that may be read-only, full or closed to us for a while.

kombu knows a Redis that is away. Whatever else Redis answers ends a worker, and makes
beat try again at once, for ever. Here each refusal is a broken connection: worker and
beat make another one after a pause that grows, and go on where they were.
"""

import time
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry, SchedulingError
from celery.exceptions import CPendingDeprecationWarning
from celery.worker import consumer
from celery.worker.state import maybe_shutdown
from kombu import Connection
from kombu.transport import redis as kombu_redis
from kombu.transport.virtual import Message
from kombu.utils.json import dumps
from redis.exceptions import RedisError, ResponseError

from realtime import outages

FIRST_S, LONGEST_S = 0.5, 10.0
STEADY_S = 60.0  # what has worked for so long was well


class Pause:
    """How long to wait before the next try: each time twice as long, up to a limit."""

    def __init__(self) -> None:
        self._next, self._asked_at = FIRST_S, 0.0

    def next(self) -> float:
        now = time.monotonic()
        if now - self._asked_at > STEADY_S:
            self.reset()
        pause, self._asked_at = self._next, now
        self._next = min(2 * pause, LONGEST_S)
        return pause

    def reset(self) -> None:
        self._next = FIRST_S


# --- The connection ---------------------------------------------------------------

# Queue and message of what this process took off a queue, but could not note as taken.
# Redis has it no more, so it must go back.
_homeless: deque[tuple[str, dict]] = deque()


class QoS(kombu_redis.QoS):
    def append(self, message: Message, delivery_tag: str) -> None:
        """Note that a message was taken. It is put back if Redis does not note it."""
        try:
            super().append(message, delivery_tag)
        except RedisError:
            _homeless.append((message.delivery_info["routing_key"], message._raw))
            raise

    def _is_gone(self) -> bool:
        """Whether the channel has outlived its connection: a task was running when
        Redis went away. Redis delivers its messages again after a time."""
        connection = self.channel.connection
        return connection is None or connection.client is None

    def restore_unacked(self, client: Any = None) -> None:
        """Put back what is not done with."""
        if not self._is_gone():
            super().restore_unacked(client)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put one message back, or forget it."""
        if not self._is_gone():
            super().reject(delivery_tag, requeue)

    def ack(self, delivery_tag: str) -> None:
        """Note that a message is done with. A worker with some that it cannot get rid
        of would take no more: it begins anew, and they are delivered again."""
        if self._is_gone():
            return
        try:
            super().ack(delivery_tag)
        except RedisError as error:
            self.channel.connection.cycle.broken_by = error
            raise


class Poller(kombu_redis.MultiChannelPoller):
    """Ends a connection that reads but does not write."""

    broken_by: RedisError | None = None

    def on_poll_start(self) -> None:
        error, self.broken_by = self.broken_by, None  # the loop keeps old pollers
        if error is not None:
            raise error
        super().on_poll_start()


class ChannelMixin:
    """A channel that can write, or is none."""

    QoS = QoS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            with self.conn_or_acquire() as client:
                # A write that changes nothing: only what is there already.
                client.zadd(self.unacked_index_key, {"": 0}, xx=True)
                self._put_back(client)
        except RedisError:
            self.close()
            raise

    def _put_back(self, client: Any) -> None:
        """Return what has no home to the end that is read next."""
        while _homeless:
            queue, message = _homeless[-1]
            client.rpush(queue, dumps(message))
            _homeless.pop()


class Channel(ChannelMixin, kombu_redis.Channel):
    pass


class SentinelChannel(ChannelMixin, kombu_redis.SentinelChannel):
    pass


class TransportMixin:
    """Whatever Redis refuses, another connection may get later."""

    connection_errors = (*kombu_redis.Transport.connection_errors, ResponseError)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()


class Transport(TransportMixin, kombu_redis.Transport):
    Channel = Channel


class SentinelTransport(TransportMixin, kombu_redis.SentinelTransport):
    Channel = SentinelChannel


def _connect(connection: Connection) -> None:
    """Connect now or raise, where kombu's `connect` has pauses of its own."""
    connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)


# --- The worker -------------------------------------------------------------------


class Consumer(consumer.Consumer):
    """Connects again for ever, with pauses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pause = Pause()
        super().__init__(*args, **kwargs)

    def ensure_connected(self, connection: Connection) -> Connection:
        while True:
            try:
                _connect(connection)
                self.first_connection_attempt = False
                return connection
            except self.connection_errors as error:
                outages.report(outages.behind(error) or error)
                _sleep(self._pause.next(), maybe_shutdown)

    def on_connection_error_after_connected(self, error: Exception) -> None:
        outages.report(outages.behind(error) or error)
        with warnings.catch_warnings():
            # What runs goes on: it may run twice, but a mail should not.
            warnings.simplefilter("ignore", CPendingDeprecationWarning)
            super().on_connection_error_after_connected(error)
        _sleep(self._pause.next(), maybe_shutdown)


def _sleep(seconds: float, look: Callable[[], None]) -> None:
    """Wait, and look meanwhile whether the process is to end: then `look` raises."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        look()
        time.sleep(0.1)


# --- Beat -------------------------------------------------------------------------


class Unsent(Exception):
    """A task could not be handed over."""


class Scheduler(PersistentScheduler):
    """Sends what is due, later if it must be."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pause = Pause()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send one task. Returns the seconds until the next."""
        try:
            self.producer  # connects
            return super().tick(*args, **kwargs)
        except (Unsent, *Transport.connection_errors) as error:
            outages.report(outages.behind(error) or error)
            self._disconnect()
            return self._pause.next()

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        self.logger.info("Sending due task %s (%s)", entry.name, entry.task)
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            if not outages.behind(error):
                self.logger.exception("Beat could not send %s", entry.task)
                return
            self.schedule[entry.name] = entry  # it is due as before
            self._heap = None
            raise Unsent from error
        self._pause.reset()

    def _ensure_connected(self) -> Connection:
        _connect(self.connection)
        return self.connection

    def _disconnect(self) -> None:
        self.__dict__.pop("producer", None)
        connection = self.__dict__.pop("connection", None)
        if connection is not None:
            connection.release()
