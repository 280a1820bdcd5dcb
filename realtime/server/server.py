"""Daphne's server with our connections.

- It listens only once signals are handled, so any client that can connect can also stop
  it (with SIGTERM, which drains).
- A socket's scope has its scheme, and failures that Twisted caught are logged.
- It ignores `Daphne-Root-Path`, a header that any client can send (see `request`).
"""

import asyncio
import logging
import sys
from functools import lru_cache, partial
from typing import Any

from realtime.server.reactor import reactor  # before `daphne.server` makes one

# isort: split

from daphne.http_protocol import HTTPFactory
from daphne.server import Server as DaphneServer
from daphne.ws_protocol import WebSocketFactory
from django.conf import settings
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure

from realtime import metrics
from realtime.admission import Admission
from realtime.masks import mask
from realtime.server import garbage, patches, shutdown, startup, wire
from realtime.server.connections import Connections
from realtime.server.gate import BACKLOG
from realtime.server.handshake_queue import HandshakeQueue
from realtime.server.inbox import Inbox
from realtime.server.request import Request
from realtime.server.websocket import Socket

logger = logging.getLogger("realtime.server")

MAX_MESSAGE = 64 * 1024  # bytes; larger messages are not even read
CLOSE_TIMEOUT_S = 2  # for a client to answer a close frame
CACHED_PATHS = 1000
Protocol = Request | Socket  # of a connection


class Server(DaphneServer):
    """Accepts connections, runs an application for each, and drains at the end."""

    endpoints: list[str]
    handshakes: HandshakeQueue

    def __init__(self, *arguments: Any, **options: Any) -> None:
        patches.apply()
        size = options.get("websocket_max_message_size") or MAX_MESSAGE
        options["websocket_max_message_size"] = min(size, MAX_MESSAGE)
        _check_root_path(options.pop("root_path", ""))
        super().__init__(*arguments, **options)
        self._addresses = [_with_backlog(endpoint) for endpoint in self.endpoints]
        # Daphne would listen at once but handle signals later: the system would accept
        # a client, and a SIGTERM that it then sends would kill the process.
        self.endpoints = []
        self.ports: list = []
        self.pages: set[Request] = set()  # that are being made
        self._opened = 0  # sockets since the start
        self.handshakes = HandshakeQueue(
            lambda: self.admission().pace.rate, partial(reactor.callLater, 0)
        )

    # --- Start ----------------------------------------------------------------

    @property
    def http_factory(self) -> HTTPFactory:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: HTTPFactory) -> None:
        """Daphne makes one in `run`; replace it."""
        self._http_factory = Connections(self)

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        """Daphne makes it in `run`, and offers no other way to choose the protocol."""
        factory.protocol = Socket
        factory.setProtocolOptions(
            failByDrop=False, closeHandshakeTimeout=CLOSE_TIMEOUT_S
        )
        self._ws_factory = factory

    def run(self) -> None:
        startup.prepare()
        metrics.WAITING.set_function(lambda: len(self.handshakes))
        # The type is an interface of zope.interface, which mypy cannot read.
        globalLogPublisher.addObserver(log_failure)  # type: ignore[arg-type]
        endpoints = [serverFromString(reactor, address) for address in self._addresses]
        reactor.callWhenRunning(self._listen, endpoints)
        super().run()
        shutdown.end_soon()

    def _listen(self, endpoints: list) -> None:
        for endpoint in endpoints:
            listener = endpoint.listen(self.http_factory)
            listener.addCallbacks(self.listen_success, self.listen_error)
            self.listeners.append(listener)

    def listen_error(self, failure: Failure) -> None:
        logger.critical("Listen failure: %s", failure.getErrorMessage())
        startup.end_process(1)

    def listen_success(self, port: tcp.Port) -> None:
        self.ports.append(port)
        self.http_factory.gate.guard(port)
        self._share_options()
        super().listen_success(port)

    def _share_options(self) -> None:
        """Put Autobahn's options on the class. Otherwise it copies them into each
        connection."""
        factory = self.ws_factory
        options = {name: getattr(factory, name) for name in Socket.CONFIG_ATTRS}
        for name, option in options.items():
            if callable(option):  # on a class it would be a method
                options[name] = staticmethod(option)
        factory.protocol = type("Socket", (Socket,), options)

    # --- Connections ----------------------------------------------------------

    def admission(self) -> Admission:
        """Return what decides which sockets this process takes."""
        from realtime.hub import get_hub  # not before the application is loaded

        return get_hub().admission

    def create_application(
        self, protocol: Protocol, scope: dict[str, Any]
    ) -> Inbox | asyncio.Queue:
        if not isinstance(protocol, Socket):
            scope["extensions"] = protocol.extensions()
            return super().create_application(protocol, scope)
        is_secure = ISSLTransport.providedBy(protocol.transport)
        scope["scheme"] = "wss" if is_secure else "ws"
        scope["extensions"] = {wire.EXTENSION: protocol, "websocket.http.response": {}}
        scope["asgi"] = {"version": "3.0"}
        inbox = Inbox()
        reply = partial(self.handle_reply, protocol)
        task = asyncio.ensure_future(self.application(scope, inbox.get, reply))
        self.connections[protocol]["application_instance"] = task
        return inbox

    def protocol_connected(self, protocol: Protocol) -> None:
        super().protocol_connected(protocol)
        if not isinstance(protocol, Socket):
            self.pages.add(protocol)

    def protocol_disconnected(self, protocol: Protocol) -> None:
        """Daphne calls this twice for a refused handshake: at the refusal and at the
        end of the connection. It may have removed the protocol in between."""
        self.pages.discard(protocol)
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    def open_sockets(self) -> list[Socket]:
        return [
            protocol
            for protocol in self.connections
            if isinstance(protocol, Socket) and protocol.state != protocol.STATE_CLOSED
        ]

    def socket_opened(self) -> None:
        """Exempt sockets from garbage collection.

        They leave none, as they hold no reference cycles. To search them would cost a
        quarter of what opening them does, and stop the loop for a tenth of a second.
        Pages that are being made do leave garbage, and so does TLS; then nothing is
        exempt.
        """
        self._opened += 1
        if self._opened % garbage.FREEZE_EVERY == 0 and not self._may_have_garbage():
            garbage.freeze()

    def _may_have_garbage(self) -> bool:
        has_tls = any(endpoint.startswith("ssl:") for endpoint in self._addresses)
        return has_tls or bool(self.pages)

    def log_action(
        self, protocol: Protocol, action: str, details: dict[str, Any]
    ) -> None:
        """Log for `--access-log`, without queries and keys: they give access."""
        if self.action_logger is None:
            return
        stream = getattr(self.action_logger, "stream", None)
        if settings.LOG_FORMAT == "json" and stream is sys.stdout:
            return  # each line there is an object, and requests have lines of their own
        path = _masked(details["path"].partition("?")[0])
        super().log_action(protocol, action, details | {"path": path})

    # --- The end --------------------------------------------------------------

    def kill_all_applications(self) -> Deferred:
        """Twisted calls it before it stops, and waits for the result."""
        return Deferred.fromFuture(asyncio.ensure_future(shutdown.shut_down(self)))

    def has_shared_port(self) -> bool:
        """Whether another process, systemd, holds the listening socket too."""
        return any(endpoint.startswith("fd:") for endpoint in self._addresses)


@lru_cache(CACHED_PATHS)
def _masked(path: str) -> str:
    """Cached, as each socket logs the same path twice."""
    return mask(path)


def log_failure(event: dict[str, Any]) -> None:
    """Log what Twisted caught. Daphne turns off Twisted's own log."""
    failure = event.get("log_failure") or event.get("failure")  # new or old API
    if failure is None or failure.check(ReactorNotRunning):  # stopped twice
        return
    logger.error("In a callback: %s", failure.getTraceback())


def _check_root_path(root_path: str) -> None:
    """End the program if Daphne's flag says another path than the shop has: its links
    would not lead there."""
    if root_path.strip("/") not in ("", settings.BASE_PATH.strip("/")):
        raise SystemExit(
            f"--root-path {root_path}: the path of the shop is {settings.BASE_PATH}, as"
            " DOMAIN_NAME says. Change DOMAIN_NAME and leave out --root-path."
        )


def _with_backlog(endpoint: str) -> str:
    """Add a backlog to Twisted's description of an endpoint, unless it has one."""
    takes_backlog = endpoint.startswith(("tcp:", "ssl:", "unix:"))
    if takes_backlog and "backlog=" not in endpoint:
        return f"{endpoint}:backlog={BACKLOG}"
    return endpoint
