"""How large the body of a request may be, and how slowly it may come.

`settings.HTTP` holds the numbers. `realtime/channel.py` keeps to them while bytes
arrive, `project/http/bodies.py` on any ASGI server, and `deploy/nginx` has the same
ones.
"""

from collections import Counter
from collections.abc import Hashable
from urllib.parse import unquote

from django.conf import settings

from realtime import roles

SAFE = {"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"}


def limit_of(method: str, path: str) -> int:
    """The largest body, in bytes, that a request may have. `path` is decoded."""
    limits = settings.HTTP["BODY_BYTES"]
    limit = next((size for start, size in limits if path.startswith(start)), 0)
    if method in SAFE or not roles.serves_pages():
        limit = min(limit, settings.HTTP["SAFE_BODY_BYTES"])
    return limit


def limit_of_target(method: bytes, target: bytes) -> int:
    """The same for a request line as it came."""
    path = unquote(target.partition(b"?")[0].decode("latin1"))
    return limit_of(method.decode("latin1"), path)


def deadline(begun: float, received: int) -> float:
    """The time by which more of a body must have come: it has a while to begin with,
    and a second more for each so many bytes."""
    return begun + settings.HTTP["BODY_S"] + received / settings.HTTP["BODY_RATE"]


class Store:
    """Counts the bytes of bodies that one process holds, so that the sum is bounded.
    One address may have half of it."""

    def __init__(self) -> None:
        self._held: Counter[Hashable] = Counter()
        self.total = 0

    def take(self, address: str | None, size: int) -> bool:
        """Whether there is room for `size` bytes more; if so they count. None is an
        address that has no limit of its own."""
        most = settings.HTTP["BODIES_BYTES"]
        if self.total + size > most:
            return False
        if address is not None and self._held[address] + size > most / 2:
            return False
        self.total += size
        if address is not None:
            self._held[address] += size
        return True

    def give_back(self, address: str | None, size: int) -> None:
        self.total -= size
        if address is not None:
            self._held[address] -= size
            if not self._held[address]:
                del self._held[address]
