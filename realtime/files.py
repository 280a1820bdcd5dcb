"""How many files this process may hold open. Each connection is one.

Python alone: the load test asks too, on machines that have no shop.
"""

import contextlib
import os
import resource

# Systems that say "no limit" have one all the same: Linux refuses more than this by
# itself, and macOS far less.
HIGHEST = 2**20


def limit() -> int:
    """How many may be open at a time."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HIGHEST if soft == resource.RLIM_INFINITY else soft


def hard_limit() -> int:
    """How far this process may raise its limit."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HIGHEST if hard == resource.RLIM_INFINITY else hard


AT_START = limit()


def raise_limit() -> None:
    """Raise the limit to the hard one, or as far towards it as the system allows."""
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
    # A sandbox may forbid the call, and macOS a number that its hard limit allows.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return True
    return False


def opened() -> int:
    """How many are open now."""
    try:
        return len(os.listdir("/dev/fd")) - 1  # but that folder itself
    except OSError:  # there is none left to look with
        return limit()
