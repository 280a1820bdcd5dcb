"""The hub's view of sockets."""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from realtime.hub.slots import Slot
from realtime.protocol import Close, Frame


class Audience(NamedTuple):
    """Sockets that watch the same topics in the same language. They get the same
    frames, at once or in the same slot."""

    keys: frozenset[str]
    language: str | None
    slot: Slot | None = None


class Socket(Protocol):
    """The interface of a socket for the hub."""

    audiences: tuple[Audience, ...]
    is_dismissed: bool  # it watches nothing any more

    def push(self, frame: Frame, keys: Iterable[str]) -> bool:
        """Send a frame that carries the topics `keys`, or, if the client has not taken
        the last one, remember that it is owed them. Returns whether it was sent."""

    def is_behind(self) -> bool:
        """Whether the client has not taken all that was sent."""

    def catch_up(self) -> None:
        """The client has taken all that was sent: send what it is owed."""

    def has_stalled(self) -> bool:
        """Whether the client has taken nothing for too long."""

    def cut(self) -> None:
        """Close the connection without a goodbye."""

    def dismiss(self, reason: Close) -> None:
        """Say goodbye and close, as the viewer has changed."""

    def end_silence(self) -> None:
        """Say goodbye and close, because the client has not subscribed to anything."""

    def farewell(self, retry_ms: int) -> None:
        """Say goodbye and close; the client comes back after that time."""
