"""What this server process serves: pages, sockets, or both.

A page keeps the interpreter busy for tens of milliseconds, in which no frame is
written, and frames delay pages. With processes for each, neither waits for the other. A
proxy sends each request to the right kind.
"""

PAGES, SOCKETS, BOTH = ROLES = ("pages", "sockets", "both")

_role = BOTH


def take(role: str) -> None:
    """Set what this process serves, before the application is loaded."""
    global _role
    _role = role


def current() -> str:
    return _role


def serves_pages() -> bool:
    return _role != SOCKETS


def serves_sockets() -> bool:
    return _role != PAGES
