"""Whose sockets are open in this process, and whether they may stay.

A socket keeps the identity it was opened with, so whatever ends that identity must
end the socket. Other processes say so (`publish.announce`); what nobody said, the
audit finds in the database; and a session that runs out is known beforehand.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from products.live import viewers
from products.live.viewers import Ended, Identity, Viewer
from realtime.protocol import Close
from realtime.publish import EVERYBODY, person, session

LOOK_S = 1  # for sessions that have run out
# Between lookups who comes is gathered, to be looked up with others: for so long, or
# until so many are there. A query, and joining their groups, costs as much for 24 as
# for two or three.
GATHER_S = 0.03
ENOUGH = 24
MANY = 20  # more than that are sifted first

CLOSES = {
    Ended.SESSION_ENDED: Close.SESSION_ENDED,
    Ended.PASSWORD_CHANGED: Close.PASSWORD_CHANGED,
    Ended.DEACTIVATED: Close.DEACTIVATED,
    Ended.RIGHTS_LOST: Close.RIGHTS_LOST,
    Ended.RIGHTS_GAINED: Close.RIGHTS_GAINED,
}

Ask = Callable[..., Awaitable[Any]]


class Guest(Protocol):
    """A socket, as far as its identity goes."""

    def dismiss(self, reason: Close) -> None:
        """Say goodbye and close; it hears nothing more."""


class Visitors:
    """The sessions whose sockets are open here. Lives on the event loop's thread.

    `ask` runs a query elsewhere and raises `OperationalError` or `InterfaceError` when
    the database is away.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._guests: dict[str, set[Guest]] = defaultdict(set)  # by session key
        self._identities: dict[str, Identity] = {}
        self._known_as: dict[str, set[str]] = defaultdict(set)  # name → session keys
        self._said = 0  # how often something was
        self._doubted: set[str] = set()
        self._doubts = asyncio.Event()
        self._unknown: dict[str, asyncio.Future] = {}  # session keys to be looked up
        self._enough = asyncio.Event()  # of them are there
        self._lookup: asyncio.Task | None = None

    async def welcome(self, guest: Guest, session_key: str | None) -> Viewer:
        """Who the guest is, from now on until `leave`. Raises what `ask` does."""
        if not session_key:
            return viewers.STRANGER
        # First enter, then look: what ends the session meanwhile finds the guest here.
        self._enter(session_key, guest)
        said = self._said
        identity = await self._identify(session_key)
        if identity is None:
            self.leave(guest, session_key)
            return viewers.STRANGER
        known = self._identities.setdefault(session_key, identity)
        self._know(session_key, known)
        # Something was said while we looked, or this guest's elders came as another.
        if self._said != said or known != identity:
            self._doubt([session_key])
        return identity.viewer

    def company(self, session_key: str | None) -> int:
        """How many guests are of the same person, or, signed out, the same session."""
        identity = self._identities.get(session_key)
        if identity is None:
            return 0
        user_id = identity.viewer.owner.user_id
        keys = self._known_as[person(user_id)] if user_id else {session_key}
        return sum(len(self._guests.get(key, ())) for key in keys)

    def leave(self, guest: Guest, session_key: str | None) -> None:
        """The guest is gone, or nobody in particular."""
        guests = self._guests.get(session_key, set())
        guests.discard(guest)
        if session_key is not None and not guests:
            self._forget(session_key)

    def hear(self, name: str) -> None:
        """What is known of `name` is out of date: a session, a person or everybody."""
        self._said += 1
        is_everybody = name == EVERYBODY
        self._doubt(self._guests if is_everybody else self._known_as.get(name, ()))

    async def audit(self) -> None:
        """Find what nobody said: one query however many sessions there are."""
        if self._identities:
            self._doubt(await self._ask(viewers.doubtful, dict(self._identities)))

    async def watch(self) -> None:
        """Look again at whoever is doubted and whoever's session has run out."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._doubts.wait()
            except TimeoutError:
                now = timezone.now()
                self._doubt(k for k, i in self._identities.items() if i.expires <= now)
            doubted, self._doubted = self._doubted, set()
            self._doubts.clear()
            await self._check(doubted)

    async def stop(self) -> None:
        """Nobody is looked up any more."""
        if self._lookup is not None:
            self._lookup.cancel()
            await asyncio.gather(self._lookup, return_exceptions=True)

    # --- Inside ---------------------------------------------------------------

    async def _identify(self, session_key: str) -> Identity | None:
        """Ask with all who come while others are being looked up."""
        if session_key not in self._unknown:
            answer = asyncio.get_running_loop().create_future()
            answer.add_done_callback(_look)  # all who asked may have left
            self._unknown[session_key] = answer
            if len(self._unknown) >= ENOUGH:
                self._enough.set()
        answer = self._unknown[session_key]
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.ensure_future(self._look_up())
        # One who leaves takes nothing from those who wait for the same answer.
        return await asyncio.shield(answer)

    async def _look_up(self) -> None:
        while self._unknown:
            wanted, self._unknown = self._unknown, {}
            self._enough.clear()
            try:
                found = await self._ask(viewers.identify, list(wanted))
            except Exception as error:
                for answer in wanted.values():
                    answer.set_exception(error)
            else:
                for session_key, answer in wanted.items():
                    answer.set_result(found.get(session_key))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._enough.wait()

    def _enter(self, session_key: str, guest: Guest) -> None:
        self._guests[session_key].add(guest)
        self._known_as[session(session_key)].add(session_key)

    def _know(self, session_key: str, identity: Identity) -> None:
        self._identities[session_key] = identity
        if user_id := identity.viewer.owner.user_id:
            self._known_as[person(user_id)].add(session_key)

    def _forget(self, session_key: str) -> None:
        self._guests.pop(session_key, None)
        identity = self._identities.pop(session_key, None)
        names = [session(session_key)]
        if identity is not None and identity.viewer.owner.user_id:
            names.append(person(identity.viewer.owner.user_id))
        for name in names:
            self._known_as[name].discard(session_key)
            if not self._known_as[name]:
                del self._known_as[name]

    def _doubt(self, session_keys: Iterable[str]) -> None:
        self._doubted.update(session_keys)
        if self._doubted:
            self._doubts.set()

    async def _check(self, session_keys: set[str]) -> None:
        # Who is not known yet is doubted again by `welcome`.
        known = {k: i for k, i in self._identities.items() if k in session_keys}
        try:
            if len(known) > MANY:
                sifted = await self._ask(viewers.doubtful, known)
                known = {key: known[key] for key in sifted}
            found = await self._ask(viewers.identify, list(known)) if known else {}
        except (OperationalError, InterfaceError):
            self._doubt(session_keys)
            raise
        for session_key, before in known.items():
            self._judge(session_key, before, found.get(session_key))

    def _judge(self, session_key: str, before: Identity, now: Identity | None) -> None:
        ended = viewers.compare(before, now)
        if ended is not None:
            for guest in tuple(self._guests.get(session_key, ())):
                guest.dismiss(CLOSES[ended])
        elif session_key in self._identities:
            self._know(session_key, now)


def _look(answer: asyncio.Future) -> None:
    """At a failure, which asyncio logs if nobody did."""
    if not answer.cancelled():
        answer.exception()
