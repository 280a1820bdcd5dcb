"""Log lines as text, or as JSON with LOG_FORMAT=json.

Secrets and email addresses are masked in both (`realtime.masks`).
"""

import logging
import logging.config
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import celery
from celery import signals
from django.conf import settings
from django.http import HttpRequest
from pythonjsonlogger.json import JsonFormatter

from realtime import request_ids
from realtime.masks import mask

logger = logging.getLogger(__name__)

# Attributes of `extra` that are logged. Others hold whole requests.
EXTRAS = ("method", "path", "status", "duration_ms", "mail")


class Page:
    """Holds the Django request while it is being answered.

    Timers of the connection keep the request's context alive for another minute. This
    object lets go of the request before.
    """

    __slots__ = ("request",)

    def __init__(self) -> None:
        self.request: HttpRequest | None = None


_page: ContextVar[Page | None] = ContextVar("page", default=None)


@contextmanager
def page() -> Iterator[None]:
    """Add the details of one request to all lines that are logged inside."""
    one = Page()
    _page.set(one)
    try:
        yield
    finally:
        one.request = None


def set_request(request: HttpRequest) -> None:
    """Set the request, once Django has created it."""
    if (one := _page.get()) is not None:
        one.request = request


def _request() -> HttpRequest | None:
    one = _page.get()
    return one.request if one is not None else None


def route() -> str | None:
    """Return the URL pattern of the page, such as `/orders/<str:number>/`."""
    match = getattr(_request(), "resolver_match", None)
    return f"/{match.route}" if match is not None and match.route else None


def user_id() -> int | None:
    """Return the user's id if it is already loaded. A log line makes no query."""
    user = getattr(_request(), "_cached_user", None)
    return user.pk if user is not None else None


class Masked(logging.Formatter):
    """Masks secrets in the lines of another formatter."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return mask(self._inner.format(record))


def line(format: str) -> Masked:
    """Return a masking formatter, for use in LOGGING."""
    return Masked(logging.Formatter(format))


class Json(JsonFormatter):
    """Writes each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            record.getMessage()
        except Exception:  # Python would print a traceback, arguments and all
            record.msg, record.args = f"{record.msg} (its arguments do not fit)", None
        return super().format(record)

    def add_fields(
        self,
        log_data: dict[str, Any],
        record: logging.LogRecord,
        message_dict: dict[str, Any],
    ) -> None:
        moment = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = moment.isoformat(timespec="milliseconds")[:-6] + "Z"
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = mask(record.message)
        for name in ("exc_info", "stack_info"):
            if text := message_dict.get(name):
                log_data["exception"] = mask(text)
        log_data["process"] = os.getpid()
        log_data["program"] = PROGRAM
        about = (
            {"request_id": request_ids.current(), "user_id": user_id()}
            | {"route": route()}
            | _task()
            | _trace()
            | _extras(record)
        )
        log_data.update((k, v) for k, v in about.items() if v is not None)


def _task() -> dict[str, str | None]:
    """Return name and id of the current Celery task."""
    task = celery.current_task
    if not task or not task.request.id:
        return {}
    return {"task": task.name, "task_id": task.request.id}


def _trace() -> dict[str, str]:
    """Return the ids of the current span, if OpenTelemetry is on."""
    if not settings.IS_OTEL_ON:
        return {}
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    given = {name: getattr(record, name, None) for name in (*EXTRAS, "request_id")}
    return {k: v for k, v in given.items() if isinstance(v, str | int | float)}


def program(argv: list[str]) -> str:
    """Return this process' kind: server, worker, beat, or a command of manage.py."""
    first, words = os.path.basename(argv[0] if argv else ""), argv[1:]
    place = argv[0] if argv else ""
    if place.endswith("realtime/server/__main__.py"):
        return "server"
    if "celery" in place:
        return next((word for word in words if word in ("worker", "beat")), "celery")
    if first == "manage.py" and words:
        return words[0]
    return first or "python"


PROGRAM = program(sys.argv)


# --- Set-up -----------------------------------------------------------------------


def set_up() -> None:
    """Set up what `settings.LOGGING` cannot: Celery's own lines, and errors that end a
    process or a thread."""
    if settings.LOG_FORMAT != "json":
        signals.after_setup_logger.connect(_mask_handlers, weak=False)
        signals.after_setup_task_logger.connect(_mask_handlers, weak=False)
        return
    signals.setup_logging.connect(_keep_ours, weak=False)
    logging.captureWarnings(True)
    sys.excepthook = _log_end
    threading.excepthook = _log_end_of_thread


def _mask_handlers(logger: logging.Logger, **kwargs) -> None:
    """Mask secrets in Celery's own lines."""
    for handler in logger.handlers:
        if handler.formatter and not isinstance(handler.formatter, Masked):
            handler.setFormatter(Masked(handler.formatter))


def _keep_ours(loglevel: int | str | None = None, **kwargs) -> None:
    """Keep our handlers in Celery. Its `--loglevel` applies to its own lines."""
    logging.config.dictConfig(settings.LOGGING)
    if loglevel is not None:
        logging.getLogger("celery").setLevel(loglevel)


def _log_end(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical("The process ends", exc_info=(kind, error, traceback))


def _log_end_of_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else ""
        logger.critical("The thread %s ends", name, exc_info=args.exc_value)
