"""Which sockets are in which audience, and which audiences watch a topic."""

from collections import defaultdict
from collections.abc import Callable

from realtime.hub.slots import Slot, Turns
from realtime.hub.sockets import Audience, Socket
from realtime.hub.topics import Topics


class Audiences:
    """The audiences of this process."""

    def __init__(self, topics: Topics, turns: Turns) -> None:
        self.sockets: dict[Audience, set[Socket]] = {}
        # By topic key. Audiences with a slot are not among them: a change costs nothing
        # for them until it is their turn.
        self.listening: dict[str, set[Audience]] = defaultdict(set)
        self._topics, self._turns = topics, turns
        self._same: dict[Audience, Audience] = {}  # so that equal ones are one object

    def move(self, socket: Socket, audiences: tuple[Audience, ...]) -> None:
        """Move a socket from the audiences that it is in to these."""
        audiences = tuple(self._same.setdefault(a, a) for a in audiences)
        before, socket.audiences = socket.audiences, audiences
        for audience in audiences:
            self._enter(audience, socket)
        for audience in before:
            if audience not in audiences:
                self._exit(audience, socket)

    def _enter(self, audience: Audience, socket: Socket) -> None:
        sockets = self.sockets.setdefault(audience, set())
        if socket in sockets:
            return
        sockets.add(socket)
        if audience.slot is not None:
            self._turns.enter(audience, self._topics.changes)
        for key in audience.keys:
            self._topics.by_key[key].watchers += 1
            if audience.slot is None:
                self.listening[key].add(audience)

    def _exit(self, audience: Audience, socket: Socket) -> None:
        sockets = self.sockets[audience]
        sockets.remove(socket)
        for key in audience.keys:
            self._topics.let_go(self._topics.by_key[key])
        if not sockets:
            del self.sockets[audience], self._same[audience]
            if audience.slot is not None:
                self._turns.leave(audience)
            for key in audience.keys:
                self.listening[key].discard(audience)

    def forget(self, key: str) -> None:
        """Nobody watches that topic any more."""
        self.listening.pop(key, None)

    def sockets_without_slot(self) -> list[Socket]:
        groups = [group for a, group in self.sockets.items() if a.slot is None]
        return list({socket for group in groups for socket in group})


def audiences_of(
    keys: list[str],
    language: str | None,
    slot: Slot | None,
    is_personal: Callable[[str], bool],
) -> tuple[Audience, ...]:
    """The audiences of a socket that watches `keys`: shared topics apart from personal
    ones, so that audiences are large.

    There is always one, if an empty one: it gets heartbeats too.
    """
    shared = frozenset(key for key in keys if not is_personal(key))
    personal = frozenset(keys) - shared
    parts = [part for part in (shared, personal) if part] or [shared]
    return tuple(Audience(part, language, slot) for part in parts)


def slot_of(socket: Socket) -> Slot | None:
    """The slot that a socket with a pace is in."""
    return socket.audiences[0].slot if socket.audiences else None
