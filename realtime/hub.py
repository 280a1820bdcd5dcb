"""The hub: one per process, between the channel layer and this process's sockets.

It joins a topic's group when the first local socket watches it, keeps the topic's
newest state, and every tick writes one frame to all sockets that watch the same
topics in the same language; who asked for a pace gets its frames less often, see
`paced`. Messages may be lost, doubled or reordered: a state is
replaced by a higher version only, and three checks find what was lost:

- the *audit* compares the versions held here with the database every few seconds,
- the *probe* sends itself a message through each Redis: if one does not come back,
  pushes are being lost, so the audit runs faster until all do, and then all is
  compared,
- the *heartbeat* gives each socket a digest of the versions it should show.

Versions count on one *timeline* of the database. After a restore or a failover there is
another, on which they may be lower: then all is loaded anew, and every socket is asked
to come back.
"""

import asyncio
import contextlib
import contextvars
import functools
import logging
import math
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from products.live import kinds
from products.live.state import State
from products.live.viewers import Viewer
from realtime import draining, metrics, outages, protocol, pulse
from realtime.admission import Admission
from realtime.paced import Slot, Turn, Turns, slot_for
from realtime.protocol import Frame
from realtime.publish import PEOPLE, group_of
from realtime.visitors import Visitors

logger = logging.getLogger(__name__)

YIELD_EVERY = 100  # sockets written to before others get a turn
DATABASE_THREADS = 2
LAYER_TIMEOUT_S = 2
LOAD_TIMEOUT_S = 3  # a page waits four seconds for an answer
DEAF_PROBES = 2  # sent and not heard in a row: the subscription is dead
PACE_TICKS = 10  # a pace is a multiple of so many ticks
GATHER_S = 0.02  # between loads: what is wanted meanwhile is loaded together
LOOK_S = 0.1  # at the loop's lag


class Unavailable(Exception):
    """The state could not be had now: the database does not answer."""


class Socket(Protocol):
    """What the hub needs of a consumer."""

    audiences: tuple["Audience", ...]
    is_dismissed: bool  # it watches nothing any more

    def push(self, frame: Frame, keys: Iterable[str]) -> bool:
        """Send a frame that carries `keys`, or remember that they are owed; whether
        it was sent."""

    def is_behind(self) -> bool:
        """Whether something that was sent has not been taken yet."""

    def catch_up(self) -> None:
        """It keeps up again: send it what it is owed."""

    def has_stalled(self) -> bool:
        """Whether it takes nothing any more, for longer than we wait."""

    def cut(self) -> None:
        """End it without a word."""

    def end_silence(self) -> None:
        """Close it: it has asked for nothing."""

    def farewell(self, retry_ms: int) -> None:
        """Ask it to come back, elsewhere."""


class Audience(NamedTuple):
    """Sockets that watch the same topics in the same language get the same frames, at
    once or in the same slot."""

    keys: frozenset[str]
    language: str | None
    slot: Slot | None = None


class Topic:
    """A watched topic: its newest state, and that state as JSON for each language."""

    __slots__ = (
        *("key", "state", "told", "sent", "items", "_loaded"),
        *("watchers", "idle_since", "joined", "since", "cause", "changed"),
    )

    def __init__(self, key: str) -> None:
        self.key = key
        self.state: State | None = None
        self.told = 0  # the newest version that a message told of
        self.sent = 0  # the version that every watcher without a pace has been sent
        self.changed = 0  # the last change here, of all that the hub has counted
        self.items: dict[str | None, str] = {}
        self._loaded: asyncio.Event | None = asyncio.Event()  # None: it is
        self.watchers = 0
        self.idle_since = time.monotonic()
        self.joined = False
        # The commit of the oldest change that sockets have not been told.
        self.since: float | None = None
        self.cause: str | None = None  # the id of the request that made it

    def item(self, language: str | None) -> str:
        """The state as JSON text, rendered once for all who want it so."""
        if language in self.items:
            return self.items[language]
        html = kinds.render(self.key, self.state, language) if language else None
        name, state = kinds.name_of(self.key), self.state
        text = protocol.item(name, state.version, state.facts, html)
        if not kinds.is_owned(self.key):  # few will ask for that again
            self.items[language] = text
        return text

    @property
    def version(self) -> int:
        return self.state.version if self.state else 0

    def is_loaded(self) -> bool:
        return self._loaded is None

    async def until_loaded(self) -> None:
        if self._loaded is not None:
            await self._loaded.wait()

    def settle(self) -> None:
        """It is loaded, or known not to exist."""
        if self._loaded is not None:
            self._loaded.set()
            self._loaded = None  # it weighs more than the rest of a topic

    def doubt(self) -> None:
        """The state is of another timeline: the next counts, whatever its version."""
        self.told = self.sent = 0
        self.since = None
        self.items.clear()
        if self._loaded is None:
            self._loaded = asyncio.Event()

    def take(self, state: State) -> bool:
        """Keep `state` if it is newer, or the first on its timeline; whether it was."""
        is_first = self.state is None or not self.is_loaded()
        if not is_first and state.version <= self.state.version:
            return False
        self.state = state
        self.items.clear()
        return True


class Hub:
    """See the module. All methods run on the event loop's thread."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._audiences: dict[Audience, set[Socket]] = {}
        self._same: dict[Audience, Audience] = {}  # so that equal ones are one
        self._listening: dict[str, set[Audience]] = defaultdict(set)  # by topic key
        self._dirty: set[str] = set()  # changed since the last tick
        self._turns = Turns()  # of audiences with a pace
        self._changes = 0  # of all topics, ever
        self._slow: set[Socket] = set()  # behind with what they were sent
        self._lagging = asyncio.Event()
        self.admission = Admission()
        self._stale: set[str] = set()  # to be loaded
        self._unjoined: set[Topic] = set()  # whose groups are to be joined
        self._changed, self._wanted = asyncio.Event(), asyncio.Event()
        self._next_join: asyncio.Task | None = None  # that has not begun
        self._joining, self._writing = asyncio.Lock(), asyncio.Lock()
        self._learning = asyncio.Lock()
        self._layer = get_channel_layer()
        self._channel: str | None = None
        self._probe = f"probe:{uuid.uuid4().hex}"
        self._unheard: set[str] = set()  # groups whose probe has not come back
        self._echo, self._alarm = asyncio.Event(), asyncio.Event()
        self.degraded = False
        self.timeline: str | None = None  # of the states held here
        self._farewell: asyncio.Task | None = None
        self._found: dict[str, int] = {}  # newer versions that the last audit found
        # Queries of the hub alone, on connections that last.
        self._database = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="hub")
        self._visitors = Visitors(self.ask)
        self._tasks: list[asyncio.Task] = []
        self._receiver: asyncio.Task | None = None

    # --- Life -----------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen; done once, when the first socket opens."""
        jobs = [
            self._tick,
            self._take_turns,
            self._load,
            self._probe_layer,
            self._audit,
            self._beat,
            self._sweep,
            self._nurse,
            self._watch_loop,
            self._visitors.watch,
            self._note_pulse,
            self._exchange_pulses,
        ]
        metrics.DIRTY.set_function(lambda: len(self._dirty))
        metrics.SLOW.set_function(lambda: len(self._slow))
        metrics.DEGRADED.set_function(lambda: self.degraded)
        self._tasks = [_start(self._keep(job)) for job in jobs]
        self._receiver = _start(self._keep(self._receive))

    async def stop(self) -> None:
        """End every job and close the connections."""
        extra = [self._farewell, self._next_join]
        tasks = [*self._tasks, self._receiver, *filter(None, extra)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._visitors.stop()
        both = threading.Barrier(DATABASE_THREADS)
        await asyncio.gather(
            *(self.ask(_disconnect, both) for _ in range(DATABASE_THREADS))
        )
        self._database.shutdown()

    async def farewell(self) -> None:
        """The process is being stopped: ask every socket to come back elsewhere."""
        sockets = tuple(self.admission.sockets)
        for number, socket in enumerate(sockets, start=1):
            socket.farewell(draining.retry_ms(len(sockets)))
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def _keep(self, job: Callable[[], Awaitable[None]]) -> None:
        """Run a job for ever: a failure costs a second, no more. (Of a database that is
        away the log has one line, by `project.outages`.)"""
        while True:
            try:
                await job()
            except Exception:
                logger.exception("The hub's %s failed", job.__name__)
            await asyncio.sleep(1)

    async def ask(self, query: Callable, *arguments: Any) -> Any:
        """Run a database query in the hub's own threads.

        Raises `OperationalError` or `InterfaceError` when the database is away.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._database, _query, query, *arguments
        )

    # --- What consumers call --------------------------------------------------

    async def welcome(self, socket: Socket, session_key: str | None) -> Viewer:
        """Whose socket it is; it is dismissed when that ends. Raises `Unavailable`."""
        try:
            return await self._visitors.welcome(socket, session_key)
        except (OperationalError, InterfaceError):
            self._visitors.leave(socket, session_key)
            raise Unavailable from None

    def company(self, session_key: str | None) -> int:
        """How many sockets are open here of whoever has that session."""
        return self._visitors.company(session_key)

    async def watch(
        self,
        socket: Socket,
        shown: Mapping[str, int | None],
        language: str | None,
        timeline: str | None = None,
        pace: int = 0,
    ) -> tuple[list[str], list[str]]:
        """Make `shown` (topic key → version the page shows) all that `socket` watches,
        with `pace` milliseconds between two frames at least.

        Gives the items that are newer than shown, or all of them if those
        versions count on another timeline, and the keys that don't exist.
        Raises `Unavailable`; the socket then watches what it did before.
        """
        topics = [self._hold(key) for key in shown]
        try:
            await self._ready(topics, shown)
            if timeline is not None and self.timeline is None:
                await self._learn_timeline()
        finally:
            for topic in topics:
                self._let_go(topic)
        unknown = [topic.key for topic in topics if topic.state is None]
        keys = [topic.key for topic in topics if topic.state is not None]
        if socket.is_dismissed:  # meanwhile
            return [], []
        grain = PACE_TICKS * settings.LIVE["TICK_MS"]
        slot = slot_for(pace, _slot_of(socket), math.ceil(grain))
        self._settle(socket, _audiences_of(keys, language, slot))
        if timeline not in (None, self.timeline):
            shown = dict.fromkeys(shown)
        newer = [
            topic.item(language)
            for topic in topics
            if topic.state is not None and _is_newer(topic.state, shown[topic.key])
        ]
        return newer, unknown

    def leave(self, socket: Socket, session_key: str | None = None) -> None:
        """The socket is gone, and with it whoever came with that session."""
        self._settle(socket, ())
        self._slow.discard(socket)
        self._visitors.leave(socket, session_key)

    def lags(self, socket: Socket) -> None:
        """The socket has not taken all that it was sent: look after it."""
        self._slow.add(socket)
        self._lagging.set()

    def catch_up(self, socket: Socket, keys: Iterable[str]) -> None:
        """Send `socket` the state as it is now of what it missed while it was slow."""
        for audience in socket.audiences:
            owed = sorted(audience.keys.intersection(keys))
            items = [self._topics[key].item(audience.language) for key in owed]
            if items:
                socket.push(Frame(protocol.upd(items)), owed)

    # --- Who watches what -----------------------------------------------------

    def _hold(self, key: str) -> Topic:
        topic = self._topics.get(key)
        if topic is None:
            topic = self._topics[key] = Topic(key)
            if kinds.is_nobodys(key):
                topic.joined = True
                topic.take(kinds.nobodys(key))
                topic.settle()
        topic.watchers += 1
        return topic

    def _let_go(self, topic: Topic) -> None:
        topic.watchers -= 1
        topic.idle_since = time.monotonic()

    async def _ready(self, topics: list[Topic], shown: Mapping) -> None:
        """Join first, then load: nothing that happens in between is missed."""
        if not self.degraded:  # nobody waits for a Redis that does not answer
            if unjoined := [topic for topic in topics if not topic.joined]:
                await self._join(unjoined)
        behind = [
            topic
            for topic in topics
            if topic.state and topic.state.version < (shown[topic.key] or 0)
        ]
        missing = [topic for topic in topics if not topic.is_loaded()]
        metrics.HITS.inc(len(topics) - len(missing))
        metrics.MISSES.inc(len(missing))
        if not behind and not missing:
            return
        # A page that shows more than we know was told by the database: look again.
        self._reload(topic.key for topic in behind + missing)
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                while missing := [t for t in missing if not t.is_loaded()]:
                    await missing[0].until_loaded()
        except TimeoutError:
            raise Unavailable from None

    async def _learn_timeline(self) -> None:
        """Ask for it once, as states may have come by messages alone. Raises
        `Unavailable`."""
        async with self._learning:
            if self.timeline is None:
                try:
                    self._follow(await self.ask(kinds.timeline))
                except (OperationalError, InterfaceError):
                    raise Unavailable from None

    def _settle(self, socket: Socket, audiences: tuple[Audience, ...]) -> None:
        """Move a socket from the audiences it was in to those."""
        audiences = tuple(self._same.setdefault(a, a) for a in audiences)
        before, socket.audiences = socket.audiences, audiences
        for audience in audiences:
            self._enter(audience, socket)
        for audience in before:
            if audience not in audiences:
                self._exit(audience, socket)

    def _enter(self, audience: Audience, socket: Socket) -> None:
        sockets = self._audiences.setdefault(audience, set())
        if socket in sockets:
            return
        sockets.add(socket)
        if audience.slot is not None:
            self._turns.enter(audience, self._changes)
        for key in audience.keys:
            self._topics[key].watchers += 1
            if audience.slot is None:
                self._listening[key].add(audience)

    def _exit(self, audience: Audience, socket: Socket) -> None:
        sockets = self._audiences[audience]
        sockets.remove(socket)
        for key in audience.keys:
            self._let_go(self._topics[key])
        if not sockets:
            del self._audiences[audience], self._same[audience]
            if audience.slot is not None:
                self._turns.leave(audience)
            for key in audience.keys:
                self._listening[key].discard(audience)

    # --- The channel layer ----------------------------------------------------

    async def _join(self, topics: Iterable[Topic]) -> None:
        """Join the topics' groups. Without Redis they stay unjoined: the audit serves
        them, and the probe joins them when Redis is back."""
        self._unjoined.update(topic for topic in topics if not topic.joined)
        if not self._unjoined:
            return
        if self._next_join is None:
            self._next_join = _start(self._join_next())
        # Who leaves keeps the others from nothing. All go on in the same turn of the
        # loop, so that what they ask for next is loaded with one query too.
        await asyncio.shield(self._next_join)

    async def _join_next(self) -> None:
        """Join what is to be joined once the command before is under way."""
        async with self._joining:
            await asyncio.sleep(0)  # who comes meanwhile joins with us
            self._next_join = None
            wanted = [topic for topic in self._unjoined if not topic.joined]
            self._unjoined.clear()
            if self._channel is not None and wanted:
                await self._join_groups(wanted, self._channel)

    async def _join_groups(self, topics: list[Topic], channel: str) -> None:
        groups = [group_of(topic.key) for topic in topics]
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._layer.groups_add(groups, channel)
        except Exception as error:
            self._fail(error)
            return
        if self._channel == channel:  # else all is joined anew
            for topic in topics:
                topic.joined = True

    async def _receive(self) -> None:
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._send_probe()  # a channel made in vain would stay for ever
                channel = await self._layer.new_channel()
                groups = [*self._probed_groups(), group_of(PEOPLE)]
                await self._layer.groups_add(groups, channel)
        except Exception as error:
            self._fail(error)
            return  # and again in a second
        self._channel = channel
        try:
            await self._join(list(self._topics.values()))
            self._reload(self._topics)
            while True:
                event = await self._layer.receive(channel)
                if event["topic"] == self._probe:
                    self._note_echo(event["group"])
                elif event["topic"] == PEOPLE:
                    self._visitors.hear(event["of"])
                else:
                    self._hear(event)
        finally:
            self._channel = None

    def _hear(self, event: dict) -> None:
        metrics.MESSAGES.inc()
        topic = self._topics.get(event["topic"])
        if topic is None:
            return  # nobody watches it any more
        topic.told = max(topic.told, event["version"])
        if topic.state is not None and event["version"] <= topic.state.version:
            return
        if topic.since is None:
            topic.since = event.get("at")
        topic.cause = event.get("request_id")
        if event["facts"] is None:
            self._reload([topic.key])
        else:
            self._accept(topic, State(event["version"], event["facts"]))

    async def _probe_layer(self) -> None:
        """A message to ourselves, for the layer does not say when it loses some."""
        deaf = 0
        while True:
            await asyncio.sleep(settings.LIVE["PROBE_S"])
            try:
                deaf = 0 if await self._hears_itself() else deaf + 1
            except Exception as error:
                self._fail(error)
                continue
            if not deaf:
                await self._recover()
            elif deaf % DEAF_PROBES == 0:
                await self._listen_anew()

    async def _hears_itself(self) -> bool:
        """Whether a message comes back from each server. Raises what the layer does if
        one takes none."""
        self._unheard = set(self._probed_groups())
        self._echo.clear()
        begun = time.monotonic()
        async with asyncio.timeout(LAYER_TIMEOUT_S):
            await self._send_probe()
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._echo.wait()
        except TimeoutError:
            self._fail(TimeoutError("messages are sent, but none comes back"))
            return False
        metrics.PROBE.observe(time.monotonic() - begun)
        return True

    async def _send_probe(self) -> None:
        for group in self._probed_groups():
            message = {"type": "probe", "topic": self._probe, "group": group}
            await self._layer.group_send(group, message)

    def _probed_groups(self) -> list[str]:
        """One for each server of the layer: each loses messages for itself."""
        return self._layer.group_on_each(group_of(self._probe))

    def _note_echo(self, group: str) -> None:
        self._unheard.discard(group)
        if not self._unheard:
            self._echo.set()

    async def _listen_anew(self) -> None:
        """Redis answers, but the subscription is dead and does not know it."""
        self._receiver.cancel()
        await asyncio.wait([self._receiver])
        try:
            async with asyncio.timeout(LAYER_TIMEOUT_S):
                await self._layer.flush()
        except Exception as error:
            self._fail(error)
        for topic in self._topics.values():
            topic.joined = kinds.is_nobodys(topic.key)
        self._receiver = _start(self._keep(self._receive))

    def _fail(self, error: Exception) -> None:
        """Redis is away, or refuses: the database is polled until it is back."""
        outages.met(error)
        if not self.degraded:
            self._alarm.set()
        self.degraded = True

    async def _recover(self) -> None:
        """What was pushed while Redis was away is lost: compare everything."""
        await self._join(list(self._topics.values()))
        if self.degraded:
            self.degraded = False
            outages.healed()
            metrics.RESYNCS.inc()
            await self._compare()

    # --- State ----------------------------------------------------------------

    def _accept(self, topic: Topic, state: State) -> None:
        if not topic.is_loaded():
            topic.take(state)
            self._count_change(topic)
            topic.sent = state.version  # whoever waits for it gets it as a snapshot
            topic.since = None
            topic.settle()
        elif topic.take(state):
            self._count_change(topic)
            self._dirty.add(topic.key)
            self._changed.set()

    def _count_change(self, topic: Topic) -> None:
        self._changes += 1
        topic.changed = self._changes

    def _reload(self, keys: Iterable[str]) -> None:
        self._stale.update(key for key in keys if not kinds.is_nobodys(key))
        self._wanted.set()

    async def _load(self) -> None:
        """Load whatever is stale, all at once; a thousand sockets cost one query."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            keys = [key for key in self._stale if key in self._topics]
            self._stale.clear()
            if not keys:
                continue
            try:
                timeline, states = await self.ask(
                    _on_timeline, self.timeline, kinds.load, keys
                )
            except (OperationalError, InterfaceError):
                self._reload(keys)  # and again in a second
                raise
            self._follow(timeline)
            for key in keys:
                if topic := self._topics.get(key):
                    self._store(topic, states.get(key))
            await asyncio.sleep(GATHER_S)

    def _store(self, topic: Topic, state: State | None) -> None:
        if state is not None:
            self._accept(topic, state)
            if kinds.is_owned(topic.key):
                self._flush_now(topic.key)
        elif not topic.is_loaded():
            topic.state = None
            topic.settle()  # there is no such topic

    def _follow(self, timeline: str) -> None:
        """Begin anew if the database is on another timeline than what is held here."""
        before, self.timeline = self.timeline, timeline
        if before in (None, timeline):
            return
        logger.warning(
            "The database was restored, or a standby took over: %d sockets come back.",
            len(self.admission.sockets),
        )
        topics = [t for t in self._topics.values() if not kinds.is_nobodys(t.key)]
        for topic in topics:
            topic.doubt()
        self._dirty.clear()
        self._found = {}
        self._reload(topic.key for topic in topics)
        self._farewell = asyncio.ensure_future(self.farewell())

    def _flush_now(self, key: str) -> None:
        """A person's own action need not wait for the tick."""
        if key not in self._dirty:
            return
        self._dirty.discard(key)
        since = self._count_as_sent([key])
        for audience in tuple(self._listening.get(key, ())):
            frame = self._frame(audience, [key], since)
            sockets = tuple(self._audiences[audience])
            taken = sum(socket.push(frame, (key,)) for socket in sockets)
            metrics.FRAMES.inc(taken)
            metrics.SKIPS.inc(len(sockets) - taken)
        _note_lags(since)

    async def _audit(self) -> None:
        while True:
            await self._until_next_audit()
            await self._compare()

    async def _until_next_audit(self) -> None:
        """A short pause while Redis is away; a long one ends when Redis goes."""
        if self.degraded:
            await asyncio.sleep(settings.LIVE["PROBE_S"])
            return
        self._alarm.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.LIVE["AUDIT_S"]):
                await self._alarm.wait()

    async def _compare(self) -> None:
        """Reload every topic of which the database has a newer version, and doubt
        everybody whose account or session has changed."""
        self._follow(await self.ask(kinds.timeline))
        await self._visitors.audit()
        self._count_gaps()
        held = {
            key: topic.state.version
            for key, topic in self._topics.items()
            if topic.state is not None and not kinds.is_nobodys(key)
        }
        if held:
            found = await self.ask(kinds.versions, list(held))
            newer = {key: new for key, new in found.items() if new > held[key]}
            self._reload(newer)
            if not self.degraded:  # else it is known that messages are lost
                self._found = newer

    def _count_gaps(self) -> None:
        """Of what the audit before found, what no message has told of since: an audit
        may see a commit earlier than the message of it comes."""
        found, self._found = self._found, {}
        topics = self._topics
        lost = [k for k, new in found.items() if k in topics and topics[k].told < new]
        metrics.GAPS.inc(len(lost))

    # --- Writing --------------------------------------------------------------

    async def _tick(self) -> None:
        """Write what has changed at the beats of a clock. Each process's has a phase of
        its own: those that hear of a sale at once don't write at once."""
        tick = settings.LIVE["TICK_MS"] / 1000
        phase = random.uniform(0, tick)
        while True:
            await self._changed.wait()
            await asyncio.sleep(tick - (time.monotonic() - phase) % tick)
            self._changed.clear()
            changed, self._dirty = self._dirty & self._topics.keys(), set()
            async with self._writing:
                await self._flush(changed)

    async def _flush(self, changed: set[str]) -> None:
        """One frame for each audience, written to all its sockets."""
        begun, written, skipped = time.monotonic(), 0, 0
        since = self._count_as_sent(changed)
        audiences = {a for key in changed for a in self._listening.get(key, ())}
        for audience in audiences:
            keys = audience.keys & changed
            frame = self._frame(audience, keys, since)
            for socket in tuple(self._audiences.get(audience, ())):
                skipped += not socket.push(frame, keys)
                written += 1
                if written % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        metrics.FRAMES.inc(written - skipped)
        metrics.SKIPS.inc(skipped)
        metrics.TICK.observe(time.monotonic() - begun)
        _note_lags(since)

    def _count_as_sent(self, keys: Iterable[str]) -> dict[str, float]:
        """Gives for each topic the commit of the oldest change now told, if known."""
        since, is_told = {}, logger.isEnabledFor(logging.DEBUG)
        for key in keys:
            topic = self._topics[key]
            topic.sent = topic.state.version
            if topic.since is not None:
                since[key], topic.since = topic.since, None
            if is_told:
                _tell(topic)
        return since

    def _frame(
        self, audience: Audience, keys: Iterable[str], since: Mapping[str, float]
    ) -> Frame:
        items = [self._topics[key].item(audience.language) for key in sorted(keys)]
        oldest = min((since[key] for key in keys if key in since), default=None)
        return Frame(protocol.upd(items, oldest))

    async def _take_turns(self) -> None:
        """Send paced sockets what has changed, when it is their turn."""
        while True:
            await self._take_turn(await self._turns.due.get())

    async def _take_turn(self, slot: Slot) -> None:
        """One frame for each socket that has news or needs a sign of life."""
        beat_s = settings.LIVE["HEARTBEAT_S"]
        turn = self._turns.begin(slot, self._changes, beat_s)
        audiences = [a for a in turn.audiences if turn.is_beat or self._news(a, turn)]
        sockets = list({s for a in audiences for s in self._audiences[a]})
        for start in range(0, len(sockets), YIELD_EVERY):
            self._send_turn(turn, sockets[start : start + YIELD_EVERY], slot)
            await asyncio.sleep(0)

    def _send_turn(self, turn: Turn, sockets: list[Socket], slot: Slot) -> None:
        """Frames are made once for all who watch the same."""
        frame_for = functools.cache(functools.partial(self._frame_of, turn))
        taken = skipped = 0
        for socket in sockets:
            if _slot_of(socket) != slot:
                continue  # it has asked for something else meanwhile
            frame, keys = frame_for(socket.audiences)
            is_taken = socket.push(frame, keys)
            taken += bool(keys) and is_taken
            skipped += bool(keys) and not is_taken
        metrics.FRAMES.inc(taken)
        metrics.SKIPS.inc(skipped)

    def _frame_of(
        self, turn: Turn, audiences: tuple[Audience, ...]
    ) -> tuple[Frame, list[str]]:
        """What who is in those audiences gets in this turn, and the keys of its items.

        The digest is of the newest versions: nobody in the slot knows others then.
        """
        news = [key for a in audiences for key in self._news(a, turn)]
        items = [self._topics[key].item(audiences[0].language) for key in news]
        topics = [self._topics[key] for a in audiences for key in a.keys]
        total = sum(_fingerprint(topic, topic.version) for topic in topics)
        beat = protocol.Beat(total & protocol.MASK, self.admission.spread_ms())
        return (
            Frame(protocol.upd(items, beat=beat) if items else protocol.hb(beat)),
            news,
        )

    def _news(self, audience: Audience, turn: Turn) -> list[str]:
        """What has changed since the last turn."""
        topics = self._topics
        return sorted(k for k in audience.keys if topics[k].changed > turn.since)

    async def _nurse(self) -> None:
        """Look after sockets that are behind: they get the state as it is when they
        have caught up, and are cut when they take nothing for too long."""
        tick = settings.LIVE["TICK_MS"] / 1000
        while True:
            await self._lagging.wait()
            await asyncio.sleep(tick)
            for socket in tuple(self._slow):
                self._look_after(socket)
            if not self._slow:
                self._lagging.clear()

    def _look_after(self, socket: Socket) -> None:
        if not socket.is_behind():
            self._slow.discard(socket)
            socket.catch_up()
        elif socket.has_stalled():
            self._slow.discard(socket)
            metrics.SLOW_CUTS.inc()
            socket.cut()

    async def _watch_loop(self) -> None:
        """How late the loop wakes: what everybody waits who is served by it. And end
        sockets that have asked for nothing."""
        while True:
            due = time.monotonic() + LOOK_S
            await asyncio.sleep(LOOK_S)
            metrics.LOOP_LAG.observe(max(0, time.monotonic() - due))
            for socket in self.admission.silent():
                socket.end_silence()

    async def _note_pulse(self) -> None:
        """Note how this process does. No message tells pulse pages that are open."""
        while True:
            pulse.note()
            if self._is_watched(kinds.PULSE):
                self._reload([kinds.PULSE])
            await asyncio.sleep(pulse.EVERY_S)

    async def _exchange_pulses(self) -> None:
        """Apart from noting, as the cache may not answer."""
        while True:
            is_watched = self._is_watched(kinds.PULSE)
            await asyncio.to_thread(pulse.exchange, is_watched=is_watched)
            await asyncio.sleep(pulse.EVERY_S)

    def _is_watched(self, key: str) -> bool:
        return key in self._topics and self._topics[key].watchers > 0

    async def _beat(self) -> None:
        """A digest to every socket: proof of life, and a check of what it shows. Paced
        sockets have it in their turn."""
        while True:
            await asyncio.sleep(settings.LIVE["HEARTBEAT_S"])
            groups = [g for a, g in self._audiences.items() if a.slot is None]
            sockets = list({socket for group in groups for socket in group})
            for start in range(0, len(sockets), YIELD_EVERY):
                async with self._writing:  # not in the middle of a fan-out
                    self._beat_to(sockets[start : start + YIELD_EVERY])
                await asyncio.sleep(0)

    def _beat_to(self, sockets: Iterable[Socket]) -> None:
        digest = functools.cache(self._digest)
        spread = self.admission.spread_ms()
        for socket in sockets:
            total = sum(map(digest, socket.audiences))
            beat = protocol.Beat(total & protocol.MASK, spread)
            socket.push(Frame(protocol.hb(beat)), ())

    def _digest(self, audience: Audience) -> int:
        """Of the versions that the audience has been sent."""
        topics = [self._topics[key] for key in audience.keys]
        return sum(_fingerprint(topic, topic.sent) for topic in topics)

    async def _sweep(self) -> None:
        """Leave the groups of topics that nobody has watched for a while."""
        while True:
            await asyncio.sleep(settings.LIVE["LINGER_S"] / 2)
            limit = time.monotonic() - settings.LIVE["LINGER_S"]
            idle = [
                topic
                for topic in self._topics.values()
                if not topic.watchers and topic.idle_since <= limit
            ]
            for topic in idle:
                async with self._joining:  # who comes meanwhile waits for one, not all
                    await self._forget(topic)

    async def _forget(self, topic: Topic) -> None:
        if topic.watchers:  # somebody came while others were left
            return
        del self._topics[topic.key]
        self._listening.pop(topic.key, None)
        if topic.joined and self._channel and not kinds.is_nobodys(topic.key):
            try:
                async with asyncio.timeout(LAYER_TIMEOUT_S):
                    await self._layer.group_discard(group_of(topic.key), self._channel)
            except Exception as error:
                self._fail(error)


def _start(job: Coroutine[Any, Any, None]) -> asyncio.Task:
    """As a task that is nobody's: who starts the hub is the first socket, and what the
    hub does and logs for all is not that one's."""
    return asyncio.create_task(job, context=contextvars.Context())


def _tell(topic: Topic) -> None:
    """A debug line for a change that goes out. A key may be a secret (`order:<token>`),
    its kind is not."""
    logger.debug(
        "Pushing %s, version %s, to those who watch it (%s)",
        *(topic.key.partition(":")[0], topic.sent, topic.watchers),
        extra={"request_id": topic.cause},
    )


def _note_lags(since: Mapping[str, float]) -> None:
    now = time.time()
    for moment in since.values():
        metrics.PUSH_LAG.observe(max(0, now - moment))


def _is_newer(state: State, shown: int | None) -> bool:
    return shown is None or state.version > shown


def _fingerprint(topic: Topic, version: int) -> int:
    return protocol.fingerprint(kinds.name_of(topic.key), version)


def _slot_of(socket: Socket) -> Slot | None:
    return socket.audiences[0].slot if socket.audiences else None


def _audiences_of(
    keys: list[str], language: str | None, slot: Slot | None
) -> tuple[Audience, ...]:
    """What many share apart from what is one's own, so that audiences are large.

    One of them may be empty: it gets heartbeats too.
    """
    shared = frozenset(key for key in keys if not kinds.is_owned(key))
    own = frozenset(keys) - shared
    parts = [part for part in (shared, own) if part] or [shared]
    return tuple(Audience(part, language, slot) for part in parts)


def _query(query: Callable, *arguments: Any) -> Any:
    """Run in a thread of the hub; a broken connection is dropped, not kept.

    One that broke since the last query says so only now: the query, which only reads,
    gets a second try on a new one.
    """
    was_open = connection.connection is not None
    try:
        return query(*arguments)
    except (OperationalError, InterfaceError):
        connection.close()
        if not was_open:
            raise
    return _query(query, *arguments)


def _on_timeline(
    known: str | None, query: Callable, *arguments: Any
) -> tuple[str, Any]:
    """Return on which timeline the database is, and what `query` finds there.

    A connection knows the timeline since it was made. Where that is not the one that
    is `known`, the database is asked, as either may be out of date. Behind a pooler
    the next transaction may be on another one: both are asked for in the same.
    """
    if connection.is_pooled:
        with transaction.atomic():
            return kinds.timeline(), query(*arguments)
    found = query(*arguments)
    is_known = connection.timeline == known
    return connection.timeline if is_known else kinds.timeline(), found


def _disconnect(both: threading.Barrier) -> None:
    """Wait until each thread of the hub is here, so that each closes its own."""
    both.wait()
    connection.close()


_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def get_hub() -> Hub:
    """This process's hub (one an event loop), started on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
        _hubs[loop].start()
    return _hubs[loop]


def running_hub() -> Hub | None:
    """The running loop's hub, if a socket has been opened."""
    return _hubs.get(asyncio.get_running_loop())


async def stop_hub() -> None:
    """Stop the running loop's hub, if there is one."""
    hub = _hubs.pop(asyncio.get_running_loop(), None)
    if hub is not None:
        await hub.stop()
