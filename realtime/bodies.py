"""How large the body of a request may be, and how slowly it may arrive.

`settings.HTTP` holds the limits. `realtime/server/channel.py` applies them while bytes
arrive, and `project/http/bodies.py` on any ASGI server. `deploy/nginx` has the same
limits.
"""

from urllib.parse import unquote

from django.conf import settings

from realtime import roles

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"}


def limit_of(method: str, path: str) -> int:
    """Return how many bytes the body of a request may have. `path` is decoded."""
    limits = settings.HTTP["BODY_BYTES"]
    limit = next((size for start, size in limits if path.startswith(start)), 0)
    if method in SAFE_METHODS or not roles.serves_pages():
        limit = min(limit, settings.HTTP["SAFE_BODY_BYTES"])
    return limit


def limit_of_target(method: bytes, target: bytes) -> int:
    """Do the same for the method and target of a request line, as they arrived."""
    path = unquote(target.partition(b"?")[0].decode("latin1"))
    return limit_of(method.decode("latin1"), path)


def deadline(start: float, received: int) -> float:
    """Return the time by which more of a body must have arrived: some seconds to begin
    with, and one more per `BODY_RATE` bytes."""
    seconds: float = settings.HTTP["BODY_S"] + received / settings.HTTP["BODY_RATE"]
    return start + seconds
