"""Lets Celery outlast a Redis that is read-only, full or refuses us for a while.

kombu handles a Redis that is away. Any other error ends a worker, and makes beat retry
at once, forever. Here each refusal counts as a broken connection. Worker and beat
connect again after a back-off, and continue where they were.
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
STEADY_S = 60.0  # after so long without a failure, the pauses start again


class Pause:
    """The back-off: each pause is twice as long as the last one, up to a limit."""

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

# Messages, with their queues, that this process took but could not record as taken.
# Redis no longer has them, so they must be put back.
_homeless: deque[tuple[str, dict]] = deque()


class QoS(kombu_redis.QoS):
    def append(self, message: Message, delivery_tag: str) -> None:
        """Record that a message was taken. If Redis refuses, it is put back later."""
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
        """Put back the messages that are not finished."""
        if not self._is_gone():
            super().restore_unacked(client)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put one message back, or forget it."""
        if not self._is_gone():
            super().reject(delivery_tag, requeue)

    def ack(self, delivery_tag: str) -> None:
        """Record that a message is finished.

        If Redis refuses, the connection counts as broken. Otherwise the worker would
        keep its messages and take no more. They are delivered again.
        """
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


class Channel(kombu_redis.Channel):
    """A channel that is only opened if Redis accepts writes."""

    QoS = QoS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            with self.conn_or_acquire() as client:
                # A write that changes nothing, as it only updates an existing entry.
                client.zadd(self.unacked_index_key, {"": 0}, xx=True)
                self._put_back(client)
        except RedisError:
            self.close()
            raise

    def _put_back(self, client: Any) -> None:
        """Put homeless messages back at the end that is read next."""
        while _homeless:
            queue, message = _homeless[-1]
            client.rpush(queue, dumps(message))
            _homeless.pop()


class SentinelChannel(Channel, kombu_redis.SentinelChannel):
    pass


class Transport(kombu_redis.Transport):
    """Counts each refusal of Redis as a broken connection."""

    Channel = Channel
    connection_errors = (*kombu_redis.Transport.connection_errors, ResponseError)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # kombu's class has None here, without an annotation.
        self.cycle = Poller()  # type: ignore[assignment]


class SentinelTransport(Transport, kombu_redis.SentinelTransport):
    Channel = SentinelChannel


def _connect(connection: Connection) -> None:
    """Connect now or raise. kombu's own `connect` would pause and retry."""
    connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)


# --- The worker -------------------------------------------------------------------


class Consumer(consumer.Consumer):
    """Connects again forever, with a back-off."""

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
    """Wait, and call `look` meanwhile. It raises if the process must end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        look()
        time.sleep(0.1)


# --- Beat -------------------------------------------------------------------------


class Unsent(Exception):
    """A task could not be sent to the broker."""


class Scheduler(PersistentScheduler):
    """Sends tasks that are due, and retries after a back-off if Redis refuses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._pause = Pause()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send one task. Return the seconds until the next."""
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
