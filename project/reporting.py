"""Whether errors and traces are sent, and where: off unless variables say so.

The libraries are optional (deploy/requirements-monitoring.txt). They are looked for,
and imported, only where a variable asks for them.
"""

import os
import re
from collections.abc import Iterable
from importlib.util import find_spec
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
OTEL = (
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
    *(
        f"opentelemetry.instrumentation.{name}"
        for name in ("asgi", "celery", "django", "psycopg2", "redis")
    ),
)
# Numbers that the SDK reads: all that are counts or milliseconds; those that may not be
# 0 or empty.
COUNT = re.compile(r"OTEL_(BSP_[A-Z_]+|[A-Z_]+_LIMIT)")
BATCH = re.compile(r"OTEL_BSP_[A-Z_]+")
PROPAGATORS = ("", "tracecontext", "baggage", "none")  # others are other libraries


def sentry_dsn(dsn: str) -> str:
    """The DSN; empty is "no Sentry". Raises `ImproperlyConfigured` if it is none, or
    the library is missing."""
    if not dsn:
        return ""
    _need("SENTRY_DSN", ["sentry_sdk"])
    try:
        parts = urlsplit(dsn)
        is_right = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and parts.username
            and parts.port != 0
            and parts.path.rpartition("/")[2].isdecimal()
        )
    except ValueError:  # a port that is none, half of an IPv6 address
        is_right = False
    if not is_right:
        raise ImproperlyConfigured(
            "SENTRY_DSN is not a DSN. It looks like https://KEY@sentry.example/42."
        )
    return dsn


def sample_rate(name: str, text: str) -> float:
    """Raises `ImproperlyConfigured` unless it is a number from 0 to 1."""
    try:
        rate = float(text)
    except ValueError:
        rate = -1
    if not 0 <= rate <= 1:
        raise ImproperlyConfigured(
            f"{name} must be a number from 0 to 1, and is {text!r}."
        )
    return rate


def is_otel_on() -> bool:
    """Whether OpenTelemetry's variables ask for traces. Raises `ImproperlyConfigured`
    if they ask for what the shop cannot do."""
    name = next((name for name in ENDPOINTS if _variable(name)), None)
    exporter = _variable("OTEL_TRACES_EXPORTER").lower() or "otlp"
    is_off = _variable("OTEL_SDK_DISABLED").lower() == "true" or exporter == "none"
    if name is None or is_off:
        return False
    if exporter != "otlp":
        raise ImproperlyConfigured(
            f"OTEL_TRACES_EXPORTER may be otlp or none, and is {exporter!r}."
        )
    for variable in ("TRACES_PROTOCOL", "PROTOCOL"):
        protocol = _variable(f"OTEL_EXPORTER_OTLP_{variable}")
        if protocol not in ("", "http/protobuf"):
            raise ImproperlyConfigured(
                f"OTEL_EXPORTER_OTLP_{variable} may be http/protobuf, and is"
                f" {protocol!r}."
            )
    try:
        parts = urlsplit(_variable(name))
        is_http = parts.scheme in ("http", "https")
        is_url = is_http and parts.hostname and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ImproperlyConfigured(
            f"{name} is not the address of a receiver: http://collector.example:4318."
        )
    _check_numbers()
    for propagator in _variable("OTEL_PROPAGATORS").split(","):
        if propagator.strip() not in PROPAGATORS:
            raise ImproperlyConfigured(
                "OTEL_PROPAGATORS may have tracecontext, baggage or none, and has"
                f" {propagator.strip()!r}."
            )
    _need(name, OTEL)
    return True


def _check_numbers() -> None:
    """Raises `ImproperlyConfigured` for numbers that the SDK takes for none: it logs a
    traceback, and goes on with another number, or ends with one."""
    for variable in sorted(os.environ):
        text = _variable(variable)
        if COUNT.fullmatch(variable) and text and not re.fullmatch("[0-9]{1,9}", text):
            raise ImproperlyConfigured(f"{variable}: {text!r} is not a number.")
        if BATCH.fullmatch(variable) and not text.strip("0"):
            raise ImproperlyConfigured(f"{variable} must be above 0.")
    queue = int(_variable("OTEL_BSP_MAX_QUEUE_SIZE") or 2048)
    if int(_variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") or 512) > queue:
        raise ImproperlyConfigured(
            f"OTEL_BSP_MAX_EXPORT_BATCH_SIZE must not be above"
            f" OTEL_BSP_MAX_QUEUE_SIZE, which is {queue}."
        )


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()


def _need(variable: str, modules: Iterable[str]) -> None:
    for module in modules:
        if not _is_there(module):
            raise ImproperlyConfigured(
                f"{variable} is set, but {module} is not installed:"
                " pip install -r deploy/requirements-monitoring.txt"
            )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in is missing
        return False
