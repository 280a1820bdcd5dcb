"""Answers handshakes: opens a socket, or refuses it."""

import logging
import time

from realtime import admission, metrics, protocol, request_ids
from realtime.addresses import client_of
from realtime.admission import Refusal
from realtime.asgi import Receive, Scope, Send
from realtime.consumers.connection import Gone
from realtime.consumers.consumer import Consumer
from realtime.hub import get_hub
from realtime.origins import is_allowed

logger = logging.getLogger(__name__)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application for one socket."""
    begun = time.monotonic()
    request_ids.begin(scope)
    await receive()  # "websocket.connect"
    hub, address = get_hub(), client_of(scope)
    consumer = Consumer(scope, hub, send)
    refusal = _objection(scope) or hub.admission.enter(consumer, address)
    if refusal is not None:
        await admission.refuse(scope, send, refusal)
        return
    try:
        await consumer.accept(scope)
        hub.admission.opened(consumer)
        metrics.HANDSHAKE.observe(time.monotonic() - begun)
        logger.debug("A socket is open")
        del scope  # most of it is of no use any more
        await consumer.serve(receive)
    except Gone as gone:
        logger.debug("An answer was not taken: %r", gone.__cause__)
    except Exception:  # the server would not know whose line it is
        logger.exception("A socket failed")
        await consumer.break_off()
    finally:
        hub.admission.leave(consumer, address)


async def refuse_address(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application at addresses where no sockets are opened."""
    await receive()
    await admission.refuse(scope, send, admission.FORBIDDEN)


async def refuse_role(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application of a process that serves pages only."""
    await receive()
    await admission.refuse(scope, send, admission.NO_SOCKETS)


def _objection(scope: Scope) -> Refusal | None:
    """Why nobody may open this socket, if so."""
    if not is_allowed(scope):
        return admission.ORIGIN
    offered = scope.get("subprotocols") or []
    if offered and protocol.SUBPROTOCOL not in offered:
        return admission.SUBPROTOCOL
    return None
