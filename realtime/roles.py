"""What this server process serves: pages, sockets, or both.

A page keeps the interpreter busy for tens of milliseconds, in which no frame is
written, and frames keep pages waiting. Processes that serve one kind each do not wait
for the other; a proxy in front sends each request to its kind.
"""

PAGES, SOCKETS, BOTH = ROLES = ("pages", "sockets", "both")

_role = BOTH


def take(role: str) -> None:
    """Say what this process serves, before the application is loaded."""
    global _role
    _role = role


def current() -> str:
    return _role


def serves_pages() -> bool:
    return _role != SOCKETS


def serves_sockets() -> bool:
    return _role != PAGES
