"""The base class of errors that services raise, and errors that domains share.

Each domain has its own `exceptions` module.
"""


class ShopError(Exception):
    """A refusal: nothing was changed. `str()` is a sentence to show."""


class MailRefused(ShopError):
    """The outbox does not take a mail: its address, or a header of it, cannot be.

    The text says why, to staff.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
