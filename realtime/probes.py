"""Answers plain requests at the sockets' address: would a handshake succeed now?

A browser shows a page neither the status nor the text of a failed handshake. So a page
that fails again and again uses `fetch`, whose response it may read. It gets the same
refusal as a handshake or, if this process would accept one, 426. Then something on the
way refuses sockets, and will most likely go on doing so.
"""

from http import HTTPStatus

from django.conf import settings

from realtime import admission, draining, metrics, roles
from realtime.addresses import client_of
from realtime.admission import Refusal
from realtime.asgi import Application, Receive, Scope, Send
from realtime.hub import running_hub
from realtime.responses import respond
from realtime.server import handshake_queue

PATH = f"{settings.BASE_PATH}ws/"
WELCOME = Refusal(
    "upgrade", HTTPStatus.UPGRADE_REQUIRED, "Sockets are opened here, by a handshake."
)


class SocketProbes:
    """An ASGI application that answers these requests. `pages` answers the others."""

    def __init__(self, pages: Application) -> None:
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            await self._pages(scope, receive, send)
            return
        await _answer(scope, send, _objection(scope) or WELCOME)


async def no_pages(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a page, in a process that serves none."""
    metrics.REFUSALS.labels(admission.NO_PAGES.reason).inc()
    await _answer(scope, send, admission.NO_PAGES)


async def _answer(scope: Scope, send: Send, refusal: Refusal) -> None:
    headers, body = admission.answer(refusal)
    if refusal is WELCOME:
        headers.append((b"upgrade", b"websocket"))
    await respond(send, refusal.status, headers, body, method=scope["method"])


def _objection(scope: Scope) -> Refusal | None:
    if not roles.serves_sockets():
        return admission.NO_SOCKETS
    hub = running_hub()
    if hub is None:
        return admission.DRAINING if draining.is_draining() else None
    refusal = hub.admission.objection(client_of(scope))
    if refusal is None and scope.get("extensions", {}).get(handshake_queue.EXTENSION):
        return admission.BUSY
    return refusal
