"""The Celery application, configured by CELERY_* settings, and `later()`, the one way
to hand it a task from a page. Messages are JSON only."""

import contextlib
import contextvars
import logging
import os
from typing import Any

from celery import Celery, Task, signals
from kombu import Connection, Producer
from kombu.transport import TRANSPORT_ALIASES

from realtime import outages, request_ids
from realtime.sending import EXIT_TIMEOUT_S, BackgroundSender

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

# Transports that recognise an outage of Redis, for every kind of broker address.
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
MAX_WAITING = 1000  # tasks that the broker has not taken yet

QueuedTask = tuple[contextvars.Context, Task, tuple, float]


def later(task: Task, *arguments: Any, countdown: float = 0) -> None:
    """Hand `task` to a worker, with arguments that JSON can represent.

    The worker runs it after `countdown` seconds.

    Call this after the commit. It returns at once and raises nothing: a background
    thread talks to the broker. A task that the broker does not take is lost, so use
    this for tasks that beat runs as well, like the delivery of mail. The task belongs
    to the request, and to the trace, that hands it over.
    """
    sender.put((contextvars.copy_context(), task, arguments, countdown))


def flush(timeout: float = EXIT_TIMEOUT_S) -> bool:
    """Wait at most `timeout` seconds until the broker has all tasks, and return whether
    it has."""
    return sender.flush(timeout)


class Broker:
    """The background thread's connection to the broker. It connects
    again after a failure."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._producer: Producer | None = None

    def send(self, tasks: list[QueuedTask]) -> None:
        for context, *task in tasks:
            context.run(self._send, *task)

    def _send(self, task: Task, arguments: tuple, countdown: float) -> None:
        try:
            if self._producer is None:
                self._connect()
            task.apply_async(
                arguments,
                countdown=countdown or None,
                producer=self._producer,
                retry=False,
            )
        except Exception as error:  # whatever a broken connection raises
            if outage := outages.behind(error):
                outages.report(outage)
            else:
                logger.exception("A task was not sent")
            self._disconnect()

    def _connect(self) -> None:
        """Connect with shorter timeouts than a worker has. Open the channel here, as a
        producer would retry forever."""
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


def make_sender() -> BackgroundSender[QueuedTask]:
    # One task at a time, so that no more than MAX_WAITING are held.
    return BackgroundSender(
        "later", lambda: Broker().send, batch_size=1, max_waiting=MAX_WAITING
    )


sender = make_sender()


# --- The request that a task belongs to ---------------------------------------------

HEADER = "request_id"  # of the message, beside Celery's own


@signals.before_task_publish.connect
def _carry(headers: dict[str, Any], **kwargs) -> None:
    if request_id := request_ids.current():
        headers.setdefault(HEADER, request_id)


@signals.task_prerun.connect
def _belong(task: Task, **kwargs) -> None:
    """Join the request that queued the task. A task of beat's gets an id of its own."""
    request_id = task.request.get(HEADER) or request_ids.current() or request_ids.new()
    task.request.belongs = contextlib.ExitStack()
    task.request.belongs.enter_context(request_ids.carried(request_id))


@signals.task_postrun.connect
def _belong_no_more(task: Task, **kwargs) -> None:
    task.request.belongs.close()
