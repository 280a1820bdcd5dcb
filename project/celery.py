"""The Celery application: JSON only, configured by the CELERY_* settings; and the one
way to hand it a task from a page, `later()`."""

import atexit
import contextlib
import contextvars
import logging
import os
import queue
import threading
from typing import Any

from celery import Celery, Task, signals
from kombu import Connection, Producer
from kombu.transport import TRANSPORT_ALIASES

from realtime import outages, request_ids

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

# Whatever address the broker has: these know an outage when they see one.
for scheme in ("redis", "rediss"):
    TRANSPORT_ALIASES[scheme] = "project.broker:Transport"
TRANSPORT_ALIASES["sentinel"] = "project.broker:SentinelTransport"

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["project.mail"])

logger = logging.getLogger(__name__)


@signals.after_setup_logger.connect
@signals.after_setup_task_logger.connect
def say_outages_once(logger: logging.Logger, **kwargs: Any) -> None:
    """Celery logs through handlers of its own instead of those in the settings."""
    for handler in logger.handlers:
        handler.addFilter(outages.OneLine())


BROKER_TIMEOUT_S = 2
EXIT_TIMEOUT_S = 2
WAITING = 1000  # tasks at most, for the broker to take them


def later(task: Task, *arguments: Any) -> None:
    """Hand `task` to a worker, with arguments that JSON knows.

    Call it after the commit. Returns at once and raises nothing: a thread of its own
    talks to the broker. What the broker does not take is lost, so this is for tasks
    that beat sends as well, like the delivery of mail. The task belongs to the request,
    and to the trace, that hands it over.
    """
    sender.put(task, arguments)


def flush(timeout: float = EXIT_TIMEOUT_S) -> bool:
    """Wait at most `timeout` seconds until all is handed over; whether it was."""
    return sender.flush(timeout)


class Sender:
    """A daemon thread with one connection to the broker, and what waits for it."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[tuple[contextvars.Context, Task, tuple]] = (
            queue.Queue(WAITING)
        )
        self._lock = threading.Lock()
        self._idle = threading.Condition()
        self._open = 0  # tasks that were put and are not done with
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def put(self, task: Task, arguments: tuple) -> None:
        with self._idle:
            self._open += 1
        try:
            self._waiting.put_nowait((contextvars.copy_context(), task, arguments))
        except queue.Full:  # the broker has been away for long, and was told of
            self._done()
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="later", daemon=True
                )
                self._thread.start()

    def flush(self, timeout: float) -> bool:
        with self._idle:
            return self._idle.wait_for(lambda: not self._open, timeout)

    def _done(self) -> None:
        with self._idle:
            self._open -= 1
            self._idle.notify_all()

    def _run(self) -> None:
        while True:
            context, task, arguments = self._waiting.get()
            context.run(self._send, task, arguments)
            del context  # it has the whole request
            self._done()

    def _send(self, task: Task, arguments: tuple) -> None:
        try:
            if self._producer is None:
                self._connect()
            task.apply_async(arguments, producer=self._producer, retry=False)
        except Exception as error:  # whatever a broken connection raises
            if found := outages.behind(error):
                outages.met(found)
            else:
                logger.exception("A task was not sent")
            self._disconnect()

    def _connect(self) -> None:
        """A connection of the thread's own, which gives up sooner than a worker's. Its
        channel is asked for here: a producer would try to get one for ever."""
        self._connection = app.connection_for_write(
            connect_timeout=BROKER_TIMEOUT_S,
            transport_options={
                "socket_timeout": BROKER_TIMEOUT_S,
                "socket_connect_timeout": BROKER_TIMEOUT_S,
            },
        )
        self._producer = app.amqp.Producer(self._connection.channel())

    def _disconnect(self) -> None:
        connection, self._connection, self._producer = self._connection, None, None
        with contextlib.suppress(Exception):  # it is broken already
            if connection is not None:
                connection.release()


def _start_afresh() -> None:
    """Threads do not survive a fork: a Celery child makes its own."""
    global sender
    sender = Sender()


# --- The request that a task belongs to ---------------------------------------------

HEADER = "request_id"  # of the message, beside Celery's own


@signals.before_task_publish.connect
def _carry(headers: dict[str, Any], **kwargs) -> None:
    if request_id := request_ids.current():
        headers.setdefault(HEADER, request_id)


@signals.task_prerun.connect
def _belong(task: Task, **kwargs) -> None:
    """To the request that queued it; a task of beat's is a request of its own."""
    request_id = task.request.get(HEADER) or request_ids.current() or request_ids.new()
    task.request.belongs = contextlib.ExitStack()
    task.request.belongs.enter_context(request_ids.carried(request_id))


@signals.task_postrun.connect
def _belong_no_more(task: Task, **kwargs) -> None:
    task.request.belongs.close()


sender = Sender()
os.register_at_fork(after_in_child=_start_afresh)
atexit.register(lambda: flush())
