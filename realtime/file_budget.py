"""How the files that a server process may open are divided up.

- `own()`: for the process itself. These are its modules, logs and listeners, the hub,
  large uploads and, for each thread that makes pages, its connections to the database,
  Redis and elsewhere.
- `pages()`: for connections that are not sockets, such as pages, health checks and
  handshakes. As many as `HTTP_CONNECTIONS` and `HTTP_QUEUE` allow, but at most a
  quarter of the rest.
- `sockets()`: what is left, but at most `LIVE_SOCKETS`.

A process that serves no pages has no such threads. One that serves no sockets takes
none. deploy/README.md explains this to operators.
"""

from functools import cache

from django.conf import settings

from realtime import files, metrics, roles

# For the process: 3 standard streams, 9 for three event loops, 4 listeners, 8 for the
# hub and the publisher, 6 for health checks and cached pages, 10 for a decoder, and
# files that are being read.
BASE = 48
# For a thread: database, cache, broker, another site, an upload, a template.
THREAD = 6
COPIES = 3  # files for a large upload: the server's, Django's and the form's
MIN_CONNECTIONS = 32  # with fewer the process does not start
PAGES_DIVISOR = 4  # pages get at most a quarter


def own() -> int:
    """Return how many files the process needs besides its visitors' connections."""
    if not roles.serves_pages():
        return BASE
    large = settings.HTTP["BODIES_BYTES"] // settings.FILE_UPLOAD_MAX_MEMORY_SIZE
    return BASE + THREAD * settings.HTTP_THREADS + COPIES * large


def connections() -> int:
    """Return how many connections of visitors may be open, sockets included."""
    return _limit() - own()


def pages() -> int:
    """Return how many of them are reserved for pages."""
    waiting = settings.HTTP["CONNECTIONS"]
    if roles.serves_pages():
        waiting += settings.HTTP_QUEUE + settings.HTTP_THREADS
    return min(waiting, connections() // PAGES_DIVISOR)


def sockets() -> int:
    """Return how many sockets this process takes."""
    if not roles.serves_sockets():
        return 0
    return max(0, min(settings.LIVE["SOCKETS"], connections() - pages()))


@cache
def _limit() -> int:
    """Return the limit as it was at the first call, after it was raised.

    So the numbers logged at the start hold. If somebody lowers the limit later, the log
    says so (`realtime/server/gate.py`).
    """
    return files.limit()


def needed() -> int:
    """Return the smallest limit with which a process starts."""
    return own() + MIN_CONNECTIONS


metrics.FILES_LIMIT.set_function(files.limit)
metrics.FILES_OPEN.set_function(files.opened)
metrics.LIMIT.set_function(sockets)
