"""The base class of errors that services raise, and errors that domains share.

Each domain has its own `exceptions` module.
"""


class ShopError(Exception):
    """A service has refused to do something, and changed nothing.

    `str()` is a sentence to show.
    """


class MailRefused(ShopError):
    """A mail has an invalid address or header. `str()` tells staff why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
