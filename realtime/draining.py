"""Whether this process is being stopped: it takes no more visitors, and asks those it
has to come back elsewhere."""

import random

RETURNS_A_SECOND = 200  # of a process's sockets, wherever they come back to
SHORTEST_MS = 1_000

_is_draining = False


def begin() -> None:
    global _is_draining
    _is_draining = True


def is_draining() -> bool:
    return _is_draining


def retry_ms(sockets: int) -> int:
    """When one of so many is to come back: spread evenly, so that they make no storm.

    A page waits once to twice that, which spreads them further.
    """
    spread = max(SHORTEST_MS, sockets * 1000 // RETURNS_A_SECOND)
    return random.randint(1, spread)
