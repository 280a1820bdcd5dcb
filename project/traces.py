"""Traces go to an OpenTelemetry receiver, if its variables are set (`set_up`).

Without them nothing of OpenTelemetry is imported, and `span` does nothing.

The SDK reads its own variables: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,
OTEL_TRACES_SAMPLER, OTEL_BSP_*, OTEL_EXPORTER_OTLP_*, OTEL_PROPAGATORS. A thread of its
own sends; what a receiver does not take is dropped, and no page waits for it. The SDK
starts that thread in each child of a Celery worker.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from django.conf import settings


@contextmanager
def _nothing(name: str, **attributes: str | int) -> Iterator[None]:
    yield


# A part of a trace: `with traces.span("deliver mail", mail=7): …`
_span: Callable[..., AbstractContextManager] = _nothing


def span(name: str, **attributes: str | int) -> AbstractContextManager:
    return _span(name, **attributes)


def set_up() -> None:
    global _span
    if settings.IS_OTEL_ON:
        from project import otel

        _span = otel.set_up()
