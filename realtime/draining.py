"""Whether this process is being stopped. Then it takes no more sockets, and asks its
pages to reconnect elsewhere."""

import random

RETURNS_A_SECOND = 200  # sockets of one process that reconnect elsewhere
MIN_SPREAD_MS = 1_000

_is_draining = False


def begin() -> None:
    global _is_draining
    _is_draining = True


def is_draining() -> bool:
    return _is_draining


def retry_ms(sockets: int) -> int:
    """Return when one of so many sockets should reconnect, so that they spread evenly.

    A page waits once to twice that long, which spreads them further.
    """
    spread = max(MIN_SPREAD_MS, sockets * 1000 // RETURNS_A_SECOND)
    return random.randint(1, spread)
