"""The ASGI application: pages over HTTP, live numbers over one WebSocket address."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

import django  # noqa: E402

django.setup(set_prefix=False)  # loads the apps, so it comes before what follows

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from products.pagecache.early import EarlyPages  # noqa: E402
from project.http.bodies import LimitedBodies  # noqa: E402
from project.http.health import Health  # noqa: E402
from project.http.pages import SyncPages  # noqa: E402
from project.http.requests import Requests  # noqa: E402
from project.http.threads import (  # noqa: E402
    Application,
    Receive,
    Scope,
    Send,
    ThreadedPages,
    Threads,
)
from realtime import files, registry, roles  # noqa: E402
from realtime.probes import SocketProbes, no_pages  # noqa: E402
from realtime.routing import sockets  # noqa: E402

files.raise_limit()  # on servers that do not do it themselves
registry.configured().prepare()


def pages() -> Application:
    """Django's pages, on threads of their own; refusals in a process without pages."""
    if not roles.serves_pages():
        return no_pages
    threads = Threads(settings.HTTP_THREADS)
    return EarlyPages(ThreadedPages(SyncPages(), threads, settings.HTTP_QUEUE))


# From the outside in. Each passes on the requests that it does not answer.
requests = Requests(LimitedBodies(SocketProbes(Health(pages()))))
by_protocol = ProtocolTypeRouter({"http": requests, "websocket": sockets})


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """The shop knows its path from DOMAIN_NAME. A server that was told one too would
    have Django take it off, and put it before every link a second time."""
    scope["root_path"] = ""
    await by_protocol(scope, receive, send)
