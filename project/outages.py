"""The database is away: pages answer 503 until it is back, and the log says so once.

"Away" is whatever another try may mend: no connection, a server that starts, stops or
has no room left, a standby that cannot write. An error in a query is none of these.
"""

import logging
import sys
import threading
import time
from http import HTTPStatus

import psycopg2
from celery.signals import after_setup_logger, after_setup_task_logger
from django.db import connections
from django.db.backends.signals import connection_created
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from realtime import request_ids

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 10
QUIET_S = 60  # an outage that nobody met for so long is over, or is said again
# https://www.postgresql.org/docs/current/errcodes-appendix.html
CLASSES = ("08", "53", "57P", "58")  # connection, resources, operator, system
READ_ONLY = "25006"


def is_outage(error: BaseException | None) -> bool:
    """Return whether the database's being away is behind an error."""
    while error is not None:
        if isinstance(error, psycopg2.Error):
            return _is_away(error)
        error = error.__cause__ or error.__context__
    return False


def _is_away(error: psycopg2.Error) -> bool:
    if error.pgcode is None:  # not an answer of the server
        return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    return error.pgcode == READ_ONLY or error.pgcode.startswith(CLASSES)


def server_error(request: HttpRequest) -> HttpResponse:
    """For `handler500`: a page that failed because the database is away says so, and
    when to come back."""
    if not is_outage(sys.exc_info()[1]):
        return _page("500.html", HTTPStatus.INTERNAL_SERVER_ERROR)
    for connection in connections.all(initialized_only=True):
        connection.close()  # the next request makes a new one
    response = _page("503.html", HTTPStatus.SERVICE_UNAVAILABLE)
    response["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _page(template: str, status: HTTPStatus) -> HttpResponse:
    """With the id by which the log, Sentry and the traces know the request."""
    return render(None, template, {"reference": request_ids.current()}, status=status)


def report(error: BaseException) -> None:
    """Log an outage of the database, unless it is logged already."""
    _outage.report(error)


class OneLine(logging.Filter):
    """Logs an outage of the database in one line for each process, where each page,
    task and job would log a traceback of its own."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not is_outage(error):
            return True
        report(error)
        return False


@after_setup_logger.connect
@after_setup_task_logger.connect
def filter_log_of_worker(logger: logging.Logger, **kwargs) -> None:
    """Celery logs through handlers of its own instead of those in the settings."""
    for handler in logger.handlers:
        handler.addFilter(OneLine())


class _Outage:
    """Whether the database is away, as far as this process has noticed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reported_at: float | None = None

    def report(self, error: BaseException) -> None:
        with self._lock:
            now = time.monotonic()
            is_new = self._reported_at is None or now - self._reported_at > QUIET_S
            self._reported_at = now
        if is_new:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            logger.error("The database is away: %s", reason)

    @property
    def is_on(self) -> bool:
        return self._reported_at is not None

    def ended(self) -> None:
        with self._lock:
            was_away, self._reported_at = self.is_on, None
        if was_away:
            logger.warning("The database is back.")


_outage = _Outage()


@receiver(connection_created)
def database_answered(connection, **kwargs) -> None:
    """A new connection that can write ends an outage."""
    if _outage.is_on and connection.is_usable():
        _outage.ended()
