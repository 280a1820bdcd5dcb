"""Errors go to Sentry, if `SENTRY_DSN` is set. This module is imported only then.

An event says what broke and where, and has the request's id. It holds no body, cookie,
header or query of a request, no variable of a program, no argument of a task, no email
address; `mask` takes secrets out of what is left.
"""

import logging
import time
from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import HttpTransport
from sentry_sdk.types import Event, Hint

from project import logs, outages
from realtime import outages as redis_outages
from realtime import request_ids
from realtime.masks import MASK, is_secret, mask

logger = logging.getLogger(__name__)

FLUSH_S = 1.5  # at most, when a process ends; a server that drains has two seconds
# The program's own text, where a name of a secret is only a name.
SOURCE = {
    *("context_line", "pre_context", "post_context", "abs_path", "filename"),
    *("function", "module", "modules", "release", "sdk", "packages", "event_id"),
    *("trace_id", "span_id", "parent_span_id", "timestamp", "start_timestamp"),
}
LEFT_OUT = {
    *("params", "vars", "args", "kwargs", "data_collection", "query_string"),
    *("http.query", "url.query", "http.fragment", "cookies", "env", "headers"),
}


def set_up() -> None:
    """Begin to send. Environment, release and the rest come from Sentry's own
    variables (SENTRY_ENVIRONMENT, SENTRY_RELEASE, SENTRY_DEBUG)."""
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        traces_sample_rate=settings.SENTRY_TRACES_SAMPLE_RATE or None,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        auto_session_tracking=False,
        auto_enabling_integrations=False,
        disabled_integrations=[ArgvIntegration()],
        integrations=[
            DjangoIntegration(
                transaction_style="url",
                middleware_spans=False,
                signals_spans=False,
                cache_spans=False,
            ),
            CeleryIntegration(),
            LoggingIntegration(level=logging.INFO, event_level=logging.ERROR),
        ],
        before_send=_before_send,
        before_send_transaction=_before_send_transaction,
        transport=Transport,
        shutdown_timeout=FLUSH_S,
    )


class Transport(HttpTransport):
    """Says once when events are not taken; the SDK itself says nothing."""

    _failed_at: float | None = None

    def on_dropped_event(self, reason: str) -> None:
        now, before = time.monotonic(), self._failed_at
        self._failed_at = now
        if before is None or now - before > outages.QUIET_S:
            logger.warning("Errors are not sent, Sentry does not answer: %s", reason)


# --- What is sent -----------------------------------------------------------------


def _before_send(event: Event, hint: Hint) -> Event | None:
    error = (hint.get("exc_info") or (None, None, None))[1]
    if error is not None and outages.is_outage(error):
        outages.report(error)  # which is logged, and so sent, once
        return None
    if outage := redis_outages.behind(error):
        redis_outages.report(outage)
        return None
    return _before_send_transaction(event, hint)


def _before_send_transaction(event: Event, hint: Hint) -> Event:
    request = event.pop("request", None)
    event = _cleaned(event)
    if request is not None:
        url = str(request.get("url", "")).partition("?")[0]
        event["request"] = {"method": request.get("method"), "url": mask(url)}
    event["user"] = {} if (user := logs.user_id()) is None else {"id": str(user)}
    if request_id := request_ids.current():
        event["tags"] = _tags(event) | {"request_id": request_id}
    event["tags"] = _tags(event) | {"program": logs.PROGRAM}
    return event


def _tags(event: Event) -> dict[str, str]:
    return dict(event.get("tags") or {})


def _cleaned(value: Any) -> Any:
    """Lists and dicts of texts, as Sentry sends them, without secrets."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {
                key: _cleaned_item(key, item)
                for key, item in value.items()
                if key not in LEFT_OUT
            }
        case list() | tuple():
            return [_cleaned(item) for item in value]
    return value


def _cleaned_item(key: str, item: Any) -> Any:
    if key in SOURCE:
        return item
    if is_secret(str(key)) and not isinstance(item, dict | list):
        return MASK
    return _cleaned(item)
