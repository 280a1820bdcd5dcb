"""Hands a plain handshake to the WebSocket protocol, without reading it first.

Twisted and Daphne would parse the headers and write them again for Autobahn, which
parses them too. That takes a quarter of a handshake. So they get only what is not
plain, and refuse or repair it.
"""

import re
from typing import Any

from django.conf import settings
from twisted.protocols.policies import ProtocolWrapper

# One whole request, with a path, without a body, and in printable ASCII. Names have no
# underscore: Daphne drops such headers.
PLAIN = re.compile(
    rb"GET (/[!-~]*) HTTP/1\.1\r\n" rb"(?:[A-Za-z0-9-]+:[ -~]*\r\n){1,50}" rb"\r\n"
)
UPGRADE = re.compile(rb"\r\nupgrade: *websocket *\r\n", re.I)
NAMES = re.compile(rb"\r\n([^:\r]+):")
# Headers that change what a request is, or that the server must not see.
SPECIAL = {
    *(b"content-length", b"transfer-encoding", b"expect", b"trailer"),
    *(b"daphne-root-path",),
}


def target_of(data: bytes) -> bytes | None:
    """Return the target of a plain handshake, or None for any other data."""
    if len(data) > settings.HTTP["HEADER_BYTES"]:
        return None
    plain = PLAIN.fullmatch(data)
    if plain is None or not UPGRADE.search(data):
        return None
    names = NAMES.findall(data.lower())
    is_ambiguous = len(set(names)) < len(names)
    return None if is_ambiguous or not SPECIAL.isdisjoint(names) else plain[1]


def hand_over(channel: Any, target: bytes, data: bytes) -> None:
    """Make a WebSocket of an HTTP channel's connection, as Daphne's
    `WebRequest.process` does."""
    factory, transport = channel.factory, channel.transport
    factory.answers(channel)
    channel.setTimeout(None)
    protocol = factory.server.ws_factory.buildProtocol(transport.getPeer())
    protocol._raw_query_string = target.partition(b"?")[2]
    if isinstance(transport, ProtocolWrapper):  # TLS
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
    protocol.dataReceived(data)
