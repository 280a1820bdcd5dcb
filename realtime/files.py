"""How many files this process may open. Each connection is one.

Uses only Python: the load test uses it on machines without Django.
"""

import contextlib
import os
import resource

# Systems that say "no limit" have one nevertheless: Linux allows this many by default,
# and macOS far fewer.
HIGHEST = 2**20


def limit() -> int:
    """Return how many files may be open at a time."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HIGHEST if soft == resource.RLIM_INFINITY else soft


def hard_limit() -> int:
    """Return how far this process may raise its limit."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HIGHEST if hard == resource.RLIM_INFINITY else hard


AT_START = limit()


def raise_limit() -> None:
    """Raise the limit to the hard limit, or as far as the system allows."""
    accepted, refused = limit(), min(hard_limit(), HIGHEST) + 1
    wanted = refused - 1
    while accepted < wanted:
        if _set(wanted):
            accepted = wanted
        else:
            refused = wanted
        wanted = (accepted + refused) // 2


def _set(wanted: int) -> bool:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A sandbox may forbid the call. macOS refuses numbers that its hard limit allows.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return True
    return False


def opened() -> int:
    """Return how many files are open now."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # the folder itself
    except OSError:  # there is no file left to read the folder
        return limit()
