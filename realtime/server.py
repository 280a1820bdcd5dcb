"""Daphne, with what a server of many sockets needs besides. Takes Daphne's flags, and
`--role`, which says whether it serves pages, sockets or both (`realtime/roles.py`):

    python -m realtime.server --port 8000 project.asgi:application

- An ASGI extension, `shop.wire` (see `Wire`): frames that are prepared once are written
  at once, and the bytes that a client has not taken yet are known.
- The extension `websocket.http.response`: a refused handshake gets a status and a text.
- Limits on what comes in: requests (`realtime/channel.py`), and frames, pings and parts
  of frames included.
- As many files as the system gives, and no more connections than there are files for
  (`realtime/room.py`, `realtime/gate.py`).
- SIGTERM drains: `/readyz` says so, sockets are asked to come back elsewhere, pages
  that are being made are answered. Who can connect can stop it so.
- Mended: empty messages are sent, close codes of the registry (1001, 1012, …) arrive as
  they are, a socket's scope has its scheme, and a failed connection says why.
- Not believed: `Daphne-Root-Path`, a header that any client can send.

It looks into Twisted's transports and Autobahn's protocol, whose versions are pinned;
`tests/realtime/test_server.py` fails when they change.
"""

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import threading
import time
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, Protocol

import realtime.turns  # noqa: F401  makes the reactor, so it comes first

# isort: split

import daphne.server  # noqa: F401  takes that reactor
from autobahn.twisted import websocket as autobahn_twisted
from autobahn.websocket import protocol as autobahn_protocol
from autobahn.websocket.types import ConnectionDeny, ConnectionRequest
from daphne.cli import CommandLineInterface
from daphne.http_protocol import HTTPFactory
from daphne.server import Server as DaphneServer
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.internet import reactor
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ReactorNotRunning
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import connectionDone
from twisted.logger import globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from realtime import channel, draining, files, metrics, roles, room
from realtime.admission import Admission
from realtime.gate import AT_ONCE
from realtime.line import Line
from realtime.masks import mask

logger = logging.getLogger("realtime.server")  # started with -m it has another name

# Autobahn formats its options, and colours names and values, for its log at every
# connection, even if it keeps none: a fifth of a handshake, and another twentieth. A
# log that wants them can format them.
autobahn_protocol.pformat = lambda options: options
for module in (autobahn_protocol, autobahn_twisted):
    module.hltype = module.hlval = lambda value: value

EXTENSION = "shop.wire"
MAX_MESSAGE = 64 * 1024  # bytes; what is larger is not even read
# Bytes that the system takes for a client (Linux takes twice as many). By itself it
# takes megabytes, all of them old news to whoever reads again.
IN_FLIGHT = 64 * 1024
MAX_UNSENT_PONGS = 64 * 1024  # bytes; a client that pings and never reads gets no more
CLOSE_S = 2  # for a client to answer a close frame
# Between pings to a tab that nobody sees: frames keep its connection open, and that it
# has gone without a word is found out later than of others.
RESTING_PING_S = 240
POLL_S = 0.05
ARRIVAL_S = 0.2  # for who was let in last to say what they want
LAST_WORD_S = 5  # for the application to say why it closes
LAST_S = 2  # for threads to end, once everything else has
YOUNG = 10_000  # objects made before Python looks for garbage among them; it has 700
FREEZE_EVERY = 50  # sockets: before Python looks by itself, or it would look twice
# Seconds until a thread that makes a page lets the loop go on, if the loop wants to. It
# wants to after each frame, and Python has 5 ms.
TURN_S = 0.001
PATHS_KEPT = 1000  # with what a log may say of them
BACKLOG = 4096  # connections not accepted yet; Twisted has 50, and the next waits 1 s
POLICY = 1008  # RFC 6455: a message that goes against what is allowed here
# Codes that an application may close with (RFC 6455 and its registry); Autobahn lets
# nobody use those between 1001 and 2999, and then sends 1011.
REGISTERED = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}


class Wire(Protocol):
    """What `scope["extensions"]["shop.wire"]` offers to a consumer."""

    def put(self, data: bytes) -> int:
        """Write prepared bytes, at once if nothing is pending; gives what is then."""

    def offer(self, data: bytes) -> int | None:
        """The same, but None, and nothing is written, if something was pending."""

    is_resting: bool  # nobody sees what is sent: the client is pinged seldom

    def pending(self) -> int:
        """The bytes that the client's connection has not taken yet."""

    def cut(self) -> None:
        """End the connection without a word: the client does not read anyway."""


class Inbox:
    """What came in for an application: a queue of one reader, a tenth of the size of
    `asyncio.Queue`."""

    __slots__ = ("_messages", "_reader")

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._reader: asyncio.Future[None] | None = None

    def put_nowait(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> dict[str, Any]:
        while not self._messages:
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        self._reader = None
        return self._messages.pop(0)


class Socket(WebSocketProtocol):
    """Daphne's side of a WebSocket connection, and its own `Wire`."""

    server: "Server | None" = None  # known once the handshake is one
    _descriptor: FileDescriptor | None = None  # below TLS, if there is TLS
    _tls: TLSMemoryBIOProtocol | None = None
    # Since that moment: bytes, frames of any kind, whole messages.
    _received, _frames, _messages, _window = 0, 0, 0, 0.0
    _is_deaf = False  # what comes is not even looked at
    is_resting = False

    def connectionMade(self) -> None:
        transport = self.transport
        if isinstance(transport, TLSMemoryBIOProtocol):
            self._tls, transport = transport, transport.transport
        # The HTTP channel, which this connection came from, is done with it.
        self.transport.unregisterProducer()
        self._descriptor = transport
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, IN_FLIGHT)
        super().connectionMade()

    def onConnect(self, request: ConnectionRequest) -> Deferred:
        answer = super().onConnect(request)
        self.server.line.begins(self)
        return answer

    def onOpen(self) -> None:
        super().onOpen()
        line = self.server.line
        line.ends(self)
        self.server.admission().pace.opened(others_wait=len(line) > 0)
        # What only the handshake asks for; it is half of what a socket weighs.
        self.clean_headers.clear()  # the scope's too
        self.http_headers, self.http_request_data = {}, b""
        self.server.has_opened()

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.server is not None:
            super().onClose(wasClean, code, reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.is_closed = None  # it holds us
        self.factory.server_class.http_factory.gate.left()
        if self.server is not None:
            self.server.line.ends(self)

    # --- Out ------------------------------------------------------------------

    def pending(self) -> int:
        fd = self._descriptor
        waiting = len(fd.dataBuffer) - fd.offset + fd._tempDataLen
        if self._tls is not None:
            waiting += sum(map(len, self._tls._appSendBuffer))
        return waiting

    def put(self, data: bytes) -> int:
        left = self.offer(data)
        if left is None:
            self.transport.write(data)
            left = self.pending()
        return left

    def offer(self, data: bytes) -> int | None:
        """Nothing may follow a close frame (RFC 6455, section 5.5.1), and the
        application hears of one a moment later."""
        return self._offer(data) if self.state == self.STATE_OPEN else 0

    def _offer(self, data: bytes) -> int | None:
        """Called once for each socket and frame: so it goes past Twisted's layers."""
        fd = self._descriptor
        if fd.dataBuffer or fd._tempDataLen:
            return None
        if self._tls is not None or not fd.connected or fd.disconnecting:
            return self._offer_transport(data)
        try:
            sent = fd.socket.send(data)
        except OSError:  # it takes nothing now, or has ended: the reactor finds out
            sent = 0
        if sent == len(data):
            return 0
        fd.write(data[sent:])
        return self.pending()

    def _offer_transport(self, data: bytes) -> int | None:
        """By TLS, or to a connection that ends."""
        if self.pending():
            return None
        self.transport.write(data)
        return self.pending()

    def cut(self) -> None:
        self.wasNotCleanReason = "it did not read"
        self.dropConnection(abort=True)

    def sendData(self, data: bytes, sync: bool = False, chopsize=None) -> None:
        """Autobahn's way out, for handshakes, pings, pongs and close frames."""
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        elif self._offer(data) is None:
            self.transport.write(data)

    def check_timeouts(self) -> None:
        """Daphne asks every two seconds whether it is time for a ping."""
        if not self.is_resting or time.time() - self.last_ping > RESTING_PING_S:
            super().check_timeouts()

    def onPing(self, payload: bytes) -> None:
        if self.pending() < MAX_UNSENT_PONGS:
            super().onPing(payload)

    # --- In -------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._received += len(data)
        most = settings.LIVE["MAX_BYTES"]
        if self._received > most and self._is_flood(len(data), 0):
            self._end_flood("bytes", most)
        else:
            super().dataReceived(data)

    def onFrameBegin(self) -> None:
        """Count pings, pongs and parts of messages too: an empty one costs as much as
        a subscription, and thousands fit into one read."""
        self._frames += 1
        most = settings.LIVE["MAX_PARTS"]
        if self._frames > most and self._is_flood(0, 1):
            self._end_flood("frames", most)
        super().onFrameBegin()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self._messages += 1
        super().onMessage(payload, isBinary)

    def _is_flood(self, received: int, frames: int) -> bool:
        """Whether so much came within one window. If not, another begins, with what
        has come just now."""
        begun, self._window = self._window, time.monotonic()
        if self._window - begun > settings.LIVE["FRAMES_WINDOW_S"]:
            self._received, self._frames, self._messages = received, frames, 0
            return False
        self._window = begun
        return True

    def _end_flood(self, what: str, most: int) -> None:
        """Hear no more, and close. Of too many messages the application knows better
        what to say, and has them already."""
        self._is_deaf, self.data = True, b""
        if self.state != self.STATE_OPEN:
            return
        metrics.REFUSALS.labels(what).inc()
        window = settings.LIVE["FRAMES_WINDOW_S"]
        text = f"At most {most} {what} in {window} s. Please come back later."
        if self._messages > settings.LIVE["MAX_FRAMES"]:
            reactor.callLater(LAST_WORD_S, self._fail_connection, POLICY, text)
        else:
            self._fail_connection(POLICY, text)

    # --- The application's messages -------------------------------------------

    def handle_reply(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.send" if self.state != self.STATE_CONNECTING:
                self._send_message(message)
            case "websocket.http.response.start":
                self._refusal = message
            case "websocket.http.response.body":
                self._refuse(message.get("body", b""))
            case _:
                super().handle_reply(message)

    def _send_message(self, message: dict[str, Any]) -> None:
        """Empty ones too, which Daphne takes for none."""
        text, data = message.get("text"), message.get("bytes")
        if (text is None) == (data is None):
            raise ValueError("A message has either text or bytes")
        if self.state == self.STATE_OPEN:
            self.serverSend(data if text is None else text, binary=text is None)

    def serverSend(self, content: str | bytes, binary: bool = False) -> None:
        """Past Autobahn's limit on messages, which is meant for what comes in."""
        payload = content if binary else content.encode()
        self.sendFrame(opcode=2 if binary else 1, payload=payload)

    def serverClose(self, code: int | None = None) -> None:
        if code in REGISTERED:
            self.sendCloseFrame(code=code)
        else:
            super().serverClose(code)

    def _refuse(self, body: bytes) -> None:
        """Deny the handshake with the status, headers and body of the application."""
        head = self._refusal
        headers = [(n.decode(), v.decode()) for n, v in head.get("headers", ())]
        headers += [("Content-Length", str(len(body))), ("Connection", "close")]
        self._denial = headers, body
        deny = ConnectionDeny(head["status"], HTTPStatus(head["status"]).phrase)
        self.handshake_deferred.errback(deny)
        del self.handshake_deferred
        self.server.protocol_disconnected(self)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders=None):
        headers, body = getattr(self, "_denial", (responseHeaders, b""))
        super().sendHttpErrorResponse(code, reason, headers)
        if body:
            self.sendData(body)


class Server(DaphneServer):
    """Daphne's server with our sockets, which leaves politely."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        size = options.get("websocket_max_message_size") or MAX_MESSAGE
        options["websocket_max_message_size"] = min(size, MAX_MESSAGE)
        _refuse_another_path(options.pop("root_path", ""))
        super().__init__(*arguments, **options)
        self._addresses = [_with_backlog(endpoint) for endpoint in self.endpoints]
        # Daphne would listen at once, and take no signals until later: who is answered,
        # by the system alone, and then asks us to stop, would kill us.
        self.endpoints = []
        self._ports: list = []
        self._pages: set[channel.Request] = set()  # that are still being made
        self._opened = 0  # sockets, ever
        self.line = Line(
            lambda: self.admission().pace.rate, partial(reactor.callLater, 0)
        )

    @property
    def http_factory(self) -> HTTPFactory:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: HTTPFactory) -> None:
        """Daphne makes one in `run`; ours takes its place."""
        self._http_factory = channel.Factory(self)

    @property
    def ws_factory(self) -> WebSocketFactory:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: WebSocketFactory) -> None:
        """Daphne makes it in `run`, and leaves no other way to choose the protocol."""
        factory.protocol = Socket
        factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=CLOSE_S)
        self._ws_factory = factory

    def run(self) -> None:
        _open_files()
        sys.setswitchinterval(TURN_S)
        gc.set_threshold(YOUNG)
        _freeze()
        metrics.WAITING.set_function(lambda: len(self.line))
        globalLogPublisher.addObserver(_complain)
        endpoints = [serverFromString(reactor, address) for address in self._addresses]
        reactor.callWhenRunning(self._listen, endpoints)
        super().run()
        # A thread in a query that never ends cannot be ended, and Python waits.
        last = threading.Timer(LAST_S, _give_up)
        last.daemon = True
        last.start()

    def admission(self) -> Admission:
        """Whom this process lets in."""
        from realtime.hub import get_hub  # not before the application is loaded

        return get_hub().admission

    def has_opened(self) -> None:
        """A socket is open. Sockets leave no garbage (they hold nothing in a circle),
        so nobody need search them for it, which costs a quarter of what opening them
        does, and a tenth of a second at a time. Pages that are being made do, and TLS:
        then nothing is kept from the search."""
        self._opened += 1
        if self._opened % FREEZE_EVERY == 0 and not self._has_circles():
            _freeze()

    def _has_circles(self) -> bool:
        is_secure = any(endpoint.startswith("ssl:") for endpoint in self._addresses)
        return is_secure or bool(self._pages)

    def _listen(self, endpoints: list) -> None:
        for endpoint in endpoints:
            listener = endpoint.listen(self.http_factory)
            listener.addCallbacks(self.listen_success, self.listen_error)
            self.listeners.append(listener)

    def listen_error(self, failure: Failure) -> None:
        logger.critical("Listen failure: %s", failure.getErrorMessage())
        _end(1)

    def listen_success(self, port) -> None:
        self._ports.append(port)
        self.http_factory.gate.guard(port)
        self._share_options()
        super().listen_success(port)

    def _share_options(self) -> None:
        """Autobahn copies its options to every connection whose class has none."""
        factory = self.ws_factory
        options = {name: getattr(factory, name) for name in Socket.CONFIG_ATTRS}
        for name, option in options.items():
            if callable(option):  # in a class it would be a method
                options[name] = staticmethod(option)
        factory.protocol = type("Socket", (Socket,), options)

    def create_application(self, protocol, scope: dict[str, Any]):
        if not isinstance(protocol, Socket):
            scope["extensions"] = protocol.extensions()
            return super().create_application(protocol, scope)
        is_secure = ISSLTransport.providedBy(protocol.transport)
        scope["scheme"] = "wss" if is_secure else "ws"
        scope["extensions"] = {EXTENSION: protocol, "websocket.http.response": {}}
        scope["asgi"] = {"version": "3.0"}
        inbox = Inbox()
        reply = partial(self.handle_reply, protocol)
        task = asyncio.ensure_future(self.application(scope, inbox.get, reply))
        self.connections[protocol]["application_instance"] = task
        return inbox

    def log_action(self, protocol, action: str, details: dict[str, Any]) -> None:
        """For `--access-log`: without queries and keys, which open what is others'."""
        if self.action_logger is None:
            return
        stream = getattr(self.action_logger, "stream", None)
        if settings.LOG_FORMAT == "json" and stream is sys.stdout:
            return  # where each line is an object; requests have lines of their own
        path = _shown(details["path"].partition("?")[0])
        super().log_action(protocol, action, details | {"path": path})

    def protocol_connected(self, protocol) -> None:
        super().protocol_connected(protocol)
        if not isinstance(protocol, Socket):
            self._pages.add(protocol)

    def protocol_disconnected(self, protocol) -> None:
        """Of a refused handshake Daphne hears twice: when it is refused, and when the
        connection ends. It may have forgotten it in between."""
        self._pages.discard(protocol)
        if protocol in self.connections:
            super().protocol_disconnected(protocol)

    # --- The end --------------------------------------------------------------

    def kill_all_applications(self) -> Deferred:
        """Twisted calls it before it stops, and waits until the result is there."""
        return Deferred.fromFuture(asyncio.ensure_future(self._leave()))

    async def _leave(self) -> None:
        draining.begin()
        try:
            await self._drain()
        except Exception:  # Twisted would say nothing
            logger.exception("The process ends without goodbyes")
        await self._end_applications()

    async def _drain(self) -> None:
        # Who asks /readyz finds out while pages are still answered.
        await asyncio.sleep(settings.LIVE["NOTICE_S"])
        await self._end_sockets()
        is_shared = any(endpoint.startswith("fd:") for endpoint in self._addresses)
        for port in self._ports:
            _close(port, is_shared)
        await asyncio.sleep(ARRIVAL_S)
        await self._until(lambda: not self._pages)

    async def _end_sockets(self) -> None:
        from realtime.hub import running_hub  # not before the application is loaded

        if (hub := running_hub()) is not None:
            await hub.farewell()
        await self._until(lambda: not self._sockets())

    async def _end_applications(self) -> None:
        from realtime.hub import stop_hub

        tasks = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await stop_hub()

    def _sockets(self) -> list[Socket]:
        return [
            protocol
            for protocol in self.connections
            if isinstance(protocol, Socket) and protocol.state != protocol.STATE_CLOSED
        ]

    async def _until(self, is_done) -> None:
        """Wait for it, but not for ever."""
        end = time.monotonic() + settings.LIVE["DRAIN_S"]
        while not is_done() and time.monotonic() < end:
            await asyncio.sleep(POLL_S)


def _open_files() -> None:
    """Get as many files as there are, and say for how many sockets that is enough."""
    files.raise_limit()
    if files.limit() < room.needed():
        logger.critical(
            "The limit of open files is %s, and this server needs %s. Raise it: ulimit"
            " -n, LimitNOFILE= in systemd, ulimits in Compose",
            *(files.limit(), room.needed()),
        )
        _end(1)
    if not roles.serves_sockets():
        logger.info(
            "At most %s files may be open (%s at the start), for pages only",
            files.limit(),
            files.AT_START,
        )
        return
    is_short = room.sockets() < settings.LIVE["SOCKETS"]
    logger.log(
        logging.WARNING if is_short else logging.INFO,
        "At most %s files may be open (%s at the start), so this process takes %s"
        " sockets; LIVE_SOCKETS is %s",
        *(files.limit(), files.AT_START, room.sockets(), settings.LIVE["SOCKETS"]),
    )


@lru_cache(PATHS_KEPT)
def _shown(path: str) -> str:
    """What a log may say of a path. Sockets say the same one twice each."""
    return mask(path)


def _freeze() -> None:
    """What is there now stays: a search for garbage need not look at it again."""
    gc.collect()
    gc.freeze()


def _complain(event: dict[str, Any]) -> None:
    """Of what Twisted has caught: Daphne lets it tell nobody."""
    failure = event.get("log_failure") or event.get("failure")  # new code's or old's
    if failure is None or failure.check(ReactorNotRunning):  # asked twice to stop
        return
    logger.error("In a callback: %s", failure.getTraceback())


def _give_up() -> None:
    logger.warning("The process ends with a page or a query unfinished")
    _end(0)


def _end(code: int) -> None:
    logging.shutdown()
    os._exit(code)


def _close(port, is_shared: bool) -> None:
    """Let nobody in any more but those whom the system has let in already: a form that
    a proxy has sent there it may not send again to another process. A socket that is
    another's too (systemd's) stays open for that one."""
    for _ in range(0, BACKLOG, AT_ONCE):
        port.numberAccepts = AT_ONCE
        port.doRead()
    if not is_shared:
        # Twisted closes it a turn of the loop later; others would get in meanwhile.
        with contextlib.suppress(OSError):
            port.socket.shutdown(socket.SHUT_RDWR)
    port.stopListening()


def _refuse_another_path(root_path: str) -> None:
    """End the program if Daphne's flag says another path than the shop has: its links
    would not lead there."""
    if root_path.strip("/") not in ("", settings.BASE_PATH.strip("/")):
        raise SystemExit(
            f"--root-path {root_path}: the path of the shop is {settings.BASE_PATH}, as"
            " DOMAIN_NAME says. Change DOMAIN_NAME and leave out --root-path."
        )


def _with_backlog(endpoint: str) -> str:
    """Of Twisted's description of an endpoint; what it says itself stays."""
    is_ours = (
        endpoint.startswith(("tcp:", "ssl:", "unix:")) and "backlog=" not in endpoint
    )
    return f"{endpoint}:backlog={BACKLOG}" if is_ours else endpoint


class Command(CommandLineInterface):
    """Daphne's command line, and the role of the process."""

    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        self.parser.add_argument(
            "--role",
            default=roles.BOTH,
            help=f"What this process serves: {', '.join(roles.ROLES)} (the default)",
        )

    def run(self, args: list[str]) -> None:
        role = self.parser.parse_args(args).role
        if role not in roles.ROLES:
            raise SystemExit(f"--role {role}: a process serves pages, sockets or both.")
        roles.take(role)  # the application looks at it when it is loaded
        super().run(args)


if __name__ == "__main__":
    Command.entrypoint()
