"""The part of `project.traces` that needs OpenTelemetry. Imported only if it is on."""

import atexit
import logging
from collections.abc import Callable, Sequence
from typing import Any

from celery import signals
from django.http import HttpRequest, HttpResponse
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.trace import SpanKind, Status

from project import logs
from realtime import request_ids
from realtime.masks import MASK, is_secret, mask

logger = logging.getLogger(__name__)

FLUSH_MS = 1500  # when a process ends; a draining server has two seconds in all
# Client addresses and query strings are not sent.
LEFT_OUT = {
    *("client.address", "client.port", "http.client_ip", "net.peer.ip"),
    *("net.peer.port", "network.peer.address", "network.peer.port"),
    *("url.query", "http.query"),
}


def set_up() -> Callable:
    """Start tracing. Return a function that starts a span."""
    resource = Resource.create({"shop.program": logs.PROGRAM})
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "shop"}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(Batches(Exporter(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(
        request_hook=_note_request, response_hook=_note_response
    )
    for instrumentor in (CeleryInstrumentor, Psycopg2Instrumentor, RedisInstrumentor):
        instrumentor().instrument()
    atexit.register(provider.shutdown)
    # `atexit` does not run in the child processes of a worker.
    signals.worker_process_shutdown.connect(_Flush(provider), weak=False)
    tracer = trace.get_tracer("shop")

    def span(name: str, **attributes: str | int):
        about = {f"shop.{key}": value for key, value in attributes.items()}
        if request_id := request_ids.current():
            about["shop.request_id"] = request_id
        return tracer.start_as_current_span(name, attributes=about)

    return span


class _Flush:
    """Sends the last spans when Celery ends a child process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider

    def __call__(self, **kwargs) -> None:
        self._provider.shutdown()


def _note_request(span: trace.Span, request: HttpRequest) -> None:
    if span.is_recording() and (request_id := request_ids.current()):
        span.set_attribute("shop.request_id", request_id)


def _note_response(
    span: trace.Span, request: HttpRequest, response: HttpResponse
) -> None:
    if span.is_recording() and (user := logs.user_id()) is not None:
        span.set_attribute("enduser.id", str(user))


class Batches(BatchSpanProcessor):
    """The SDK's processor, with two changes."""

    def on_end(self, span: ReadableSpan) -> None:
        """Drop queries outside of pages and tasks: those that hubs, brokers and health
        checks repeat all the time."""
        if span.kind is not SpanKind.CLIENT or span.parent is not None:
            super().on_end(span)

    def shutdown(self) -> None:
        """Stop within `FLUSH_MS`. The SDK would wait for half a minute."""
        self._batch_processor.shutdown(timeout_millis=FLUSH_MS)


class Exporter(SpanExporter):
    """Masks secrets in spans, and logs once when they cannot be sent."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export([_cleaned(span) for span in spans])
        if result is SpanExportResult.SUCCESS:
            if self._is_failing:
                logger.warning("Traces are sent again.")
            self._is_failing = False
        else:
            if not self._is_failing:
                logger.warning("Traces cannot be sent: their receiver does not answer.")
            self._is_failing = True
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _cleaned(span: ReadableSpan) -> ReadableSpan:
    status = span.status
    if status.description:
        status = Status(status.status_code, mask(status.description))
    return ReadableSpan(
        name=mask(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_attributes(span.attributes),
        events=[
            Event(each.name, _attributes(each.attributes), each.timestamp)
            for each in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _attributes(attributes: Any) -> dict[str, Any]:
    return {
        key: _value(key, value)
        for key, value in (attributes or {}).items()
        if key not in LEFT_OUT
    }


def _value(key: str, value: Any) -> Any:
    if is_secret(key):
        return MASK
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Sequence):
        return [mask(item) if isinstance(item, str) else item for item in value]
    return value
