"""A receiver of Sentry's envelopes and of OpenTelemetry's traces, on loopback."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from typing import Any

import brotli
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.http_server import LocalServer, serving

UNPACK = {"gzip": gzip.decompress, "br": brotli.decompress}


class Receiver(LocalServer):
    """Takes what comes, and keeps it: unpacked, as bytes, and parsed."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.bodies: list[bytes] = []
        self.events: list[dict[str, Any]] = []
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self._lock = threading.Lock()

    @property
    def dsn(self) -> str:
        return f"{self.url.replace('://', '://publickey@')}/42"

    def named(self, name: str) -> list[Span]:
        return [span for span in list(self.spans) if span.name == name]

    def raised(self, words: str) -> list[dict[str, Any]]:
        """Events whose exceptions or message have those words."""
        return [event for event in list(self.events) if words in _words(event)]

    def take(self, path: str, encoding: str, body: bytes) -> None:
        body = UNPACK.get(encoding, bytes)(body)
        with self._lock:
            self.bodies.append(body)
            if path == "/v1/traces":
                self._take_spans(ExportTraceServiceRequest.FromString(body))
            elif path == "/api/42/envelope/":
                self.events += events(body)

    def _take_spans(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            self.services |= {
                each.value.string_value
                for each in resource.resource.attributes
                if each.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans += scope.spans


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        encoding = self.headers.get("Content-Encoding", "")
        self.server.take(self.path, encoding, body)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


def events(envelope: bytes) -> Iterator[dict[str, Any]]:
    """The errors of an envelope: https://develop.sentry.dev/sdk/envelopes/."""
    rest = envelope.partition(b"\n")[2]
    while rest.strip():
        head, _newline, rest = rest.partition(b"\n")
        item = json.loads(head)
        length = item.get("length")
        if length is None:
            length = rest.index(b"\n") if b"\n" in rest else len(rest)
        payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        if item["type"] == "event":
            yield json.loads(payload)


def _words(event: dict[str, Any]) -> str:
    raised = (event.get("exception") or {}).get("values") or []
    text = (event.get("logentry") or {}).get("formatted") or ""
    return " ".join([text, *(str(each.get("value")) for each in raised)])


def receiving() -> AbstractContextManager[Receiver]:
    return serving(Receiver())
