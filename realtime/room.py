"""Who gets the files that a server process may hold open.

First the process itself, then pages, then sockets:

- `own()`: its modules, logs and listeners, the hub, and for each thread that makes
  pages its connections to the database, Redis and elsewhere, and for large uploads;
- `pages()`: connections that are no sockets: pages, health checks, handshakes. As many
  as `HTTP_CONNECTIONS` and `HTTP_LINE` may need, but at most a quarter of the rest;
- `sockets()`: what is left, but at most `LIVE_SOCKETS`.

A process that serves no pages has no such threads, and one that serves no sockets takes
none (`realtime/roles.py`).

deploy/README.md explains it to who runs the shop.
"""

from functools import cache

from django.conf import settings

from realtime import files, metrics, roles

# Of the process: 3 standard streams, 9 of three event loops, 4 listeners, 8 of the hub
# and the publisher, 6 of health checks and kept pages, 10 of a decoder, and the files
# that are read just now.
BASE = 48
# Of a thread: its database, the cache, the broker, another site, an upload, a template.
THREAD = 6
COPIES = 3  # files that a large upload is in: the server's, Django's, the form's
FEWEST = 32  # connections; with fewer it is no use to start
SHARE = 4  # a quarter


def own() -> int:
    """What the process needs beside the connections of its visitors."""
    if not roles.serves_pages():
        return BASE
    large = settings.HTTP["BODIES_BYTES"] // settings.FILE_UPLOAD_MAX_MEMORY_SIZE
    return BASE + THREAD * settings.HTTP_THREADS + COPIES * large


def connections() -> int:
    """How many connections of visitors may be open, sockets included."""
    return _limit() - own()


def pages() -> int:
    """Those that sockets leave free."""
    waiting = settings.HTTP["CONNECTIONS"]
    if roles.serves_pages():
        waiting += settings.HTTP_LINE + settings.HTTP_THREADS
    return min(waiting, connections() // SHARE)


def sockets() -> int:
    """How many sockets this process takes."""
    if not roles.serves_sockets():
        return 0
    return max(0, min(settings.LIVE["SOCKETS"], connections() - pages()))


@cache
def _limit() -> int:
    """As it was when somebody asked first, which is after it was raised: what is told
    at the start holds, and who lowers it later hears of it (`realtime/server/gate.py`).
    """
    return files.limit()


def needed() -> int:
    """The least limit that a process can serve with."""
    return own() + FEWEST


metrics.FILES_LIMIT.set_function(files.limit)
metrics.FILES_OPEN.set_function(files.opened)
metrics.LIMIT.set_function(sockets)
