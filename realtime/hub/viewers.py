"""The viewers whose sockets are open in this process, and whether they may stay.

A socket keeps the viewer that it was opened with, so whatever ends that must close the
socket. Other processes announce it (`publish.announce`), the audit finds in the
database what nobody announced, and when a session expires is known beforehand.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable

from django.utils import timezone

from realtime.hub.database import AWAY, Database, Unavailable
from realtime.hub.sockets import Socket
from realtime.publish import EVERYBODY, person, session
from realtime.registry import STRANGER, Registry, Viewer

EXPIRY_CHECK_S = 1
# Sessions that come between two lookups are looked up together: those of so long, or
# until there are so many. A query, and joining their groups, costs as much for 24 as
# for two or three.
GATHER_S = 0.03
ENOUGH = 24
MANY = 20  # if more are doubted, `doubtful` sifts them first

Answer = asyncio.Future[Viewer | None]


class Viewers:
    """The viewers by session. Lives on the event loop's thread."""

    def __init__(self, registry: Registry, database: Database) -> None:
        self._registry, self._database = registry, database
        self._sockets: dict[str, set[Socket]] = defaultdict(set)  # by session key
        self._viewers: dict[str, Viewer] = {}  # by session key
        # Session keys by the names under which changes are announced.
        self._keys: dict[str, set[str]] = defaultdict(set)
        self._announcements = 0  # how many there have been
        self._doubted: set[str] = set()  # session keys
        self._doubts = asyncio.Event()  # set while there are some
        self._wanted: dict[str, Answer] = {}  # session keys to be looked up
        self._enough = asyncio.Event()  # set while there are ENOUGH of them
        self._lookup: asyncio.Task[None] | None = None

    async def identify(self, socket: Socket, session_key: str | None) -> Viewer:
        """The viewer of a socket, from now on until `leave`. Raises `Unavailable`."""
        if not session_key:
            return STRANGER
        # Enter the socket before looking: if the session ends meanwhile, it is found.
        self._enter(session_key, socket)
        announcements = self._announcements
        try:
            viewer = await self._look_up(session_key)
        except AWAY:
            self.leave(socket, session_key)
            raise Unavailable from None
        if viewer is None:
            self.leave(socket, session_key)
            return STRANGER
        known = self._viewers.setdefault(session_key, viewer)
        self._know(session_key, known)
        # Something was announced meanwhile, or other sockets have an older viewer.
        if self._announcements != announcements or known != viewer:
            self._doubt([session_key])
        return viewer

    def count_sockets(self, session_key: str | None) -> int:
        """How many sockets the viewer with that session has: those of the account, or,
        if they are not signed in, those of the session."""
        viewer = self._viewers.get(session_key or "")
        if session_key is None or viewer is None:
            return 0
        user_id = viewer.user_id
        session_keys = self._keys[person(user_id)] if user_id else {session_key}
        return sum(len(self._sockets.get(key, ())) for key in session_keys)

    def leave(self, socket: Socket, session_key: str | None) -> None:
        """The socket is gone, or its session has ended."""
        if session_key is None:
            return
        sockets = self._sockets.get(session_key, set())
        sockets.discard(socket)
        if not sockets:
            self._forget(session_key)

    def hear(self, name: str) -> None:
        """A session, a person or everybody (`name`) has changed."""
        self._announcements += 1
        is_everybody = name == EVERYBODY
        self._doubt(self._sockets if is_everybody else self._keys.get(name, ()))

    async def audit(self) -> None:
        """Find changes that nobody announced, with one query for all sessions."""
        if self._viewers:
            viewers = dict(self._viewers)
            self._doubt(await self._database.ask(self._registry.doubtful, viewers))

    async def run(self) -> None:
        """Look again at sessions that are doubted or have expired."""
        while True:
            try:
                async with asyncio.timeout(EXPIRY_CHECK_S):
                    await self._doubts.wait()
            except TimeoutError:
                now = timezone.now()
                self._doubt(k for k, v in self._viewers.items() if v.expires <= now)
            doubted, self._doubted = self._doubted, set()
            self._doubts.clear()
            await self._check(doubted)

    async def stop(self) -> None:
        """End the lookup that is under way."""
        if self._lookup is not None:
            self._lookup.cancel()
            await asyncio.gather(self._lookup, return_exceptions=True)

    # --- Looking up -----------------------------------------------------------

    async def _look_up(self, session_key: str) -> Viewer | None:
        """Look up a session, together with those that come meanwhile."""
        if session_key not in self._wanted:
            answer: Answer = asyncio.get_running_loop().create_future()
            # If all sockets that wait for it leave, nobody else reads its exception.
            answer.add_done_callback(_read_exception)
            self._wanted[session_key] = answer
            if len(self._wanted) >= ENOUGH:
                self._enough.set()
        answer = self._wanted[session_key]
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.ensure_future(self._look_up_wanted())
        # Shielded: a socket that leaves must not cancel it for others that wait.
        return await asyncio.shield(answer)

    async def _look_up_wanted(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            self._enough.clear()
            try:
                viewers = await self._database.ask(
                    self._registry.identify, list(wanted)
                )
            except Exception as error:
                for answer in wanted.values():
                    answer.set_exception(error)
            else:
                for session_key, answer in wanted.items():
                    answer.set_result(viewers.get(session_key))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._enough.wait()

    # --- Sessions that are known ----------------------------------------------

    def _enter(self, session_key: str, socket: Socket) -> None:
        self._sockets[session_key].add(socket)
        self._keys[session(session_key)].add(session_key)

    def _know(self, session_key: str, viewer: Viewer) -> None:
        self._viewers[session_key] = viewer
        if viewer.user_id:
            self._keys[person(viewer.user_id)].add(session_key)

    def _forget(self, session_key: str) -> None:
        self._sockets.pop(session_key, None)
        viewer = self._viewers.pop(session_key, None)
        names = [session(session_key)]
        if viewer is not None and viewer.user_id:
            names.append(person(viewer.user_id))
        for name in names:
            self._keys[name].discard(session_key)
            if not self._keys[name]:
                del self._keys[name]

    # --- Doubts ---------------------------------------------------------------

    def _doubt(self, session_keys: Iterable[str]) -> None:
        self._doubted.update(session_keys)
        if self._doubted:
            self._doubts.set()

    async def _check(self, session_keys: set[str]) -> None:
        """Look these sessions up again, and dismiss sockets that may not stay."""
        # A session that is being identified is doubted again once it is known.
        known = {k: v for k, v in self._viewers.items() if k in session_keys}
        try:
            if len(known) > MANY:
                doubtful = await self._database.ask(self._registry.doubtful, known)
                known = {key: known[key] for key in doubtful}
            now = {}
            if known:
                now = await self._database.ask(self._registry.identify, list(known))
        except AWAY:
            self._doubt(session_keys)
            raise
        for session_key, before in known.items():
            self._judge(session_key, before, now.get(session_key))

    def _judge(self, session_key: str, before: Viewer, now: Viewer | None) -> None:
        reason = self._registry.compare(before, now)
        if reason is not None:
            for socket in tuple(self._sockets.get(session_key, ())):
                socket.dismiss(reason)
        elif now is not None and session_key in self._viewers:
            self._know(session_key, now)


def _read_exception(answer: Answer) -> None:
    """Else asyncio logs it."""
    if not answer.cancelled():
        answer.exception()
