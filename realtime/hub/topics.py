"""The topics that sockets of this process watch, and their newest states."""

import asyncio
import time

from realtime import protocol
from realtime.registry import Registry, State


class Topic:
    """A watched topic: its newest state, and that state as JSON for each language."""

    __slots__ = (
        *("key", "state", "items", "watchers", "idle_since", "joined"),
        *("announced", "sent", "changed", "waiting_since", "request_id"),
        *("_registry", "_loaded"),
    )

    def __init__(self, key: str, registry: Registry) -> None:
        self.key = key
        self.state: State | None = None
        self.items: dict[str | None, str] = {}  # by language
        self.watchers = 0
        self.idle_since = time.monotonic()
        self.joined = False  # whether the hub hears the topic's group
        self.announced = 0  # the newest version that a message has announced
        self.sent = 0  # the version that every watcher without a pace has been sent
        self.changed = 0  # which of the hub's changes was the last one here
        # The commit of the oldest change that sockets have not been sent, and the id of
        # the request that made the newest one.
        self.waiting_since: float | None = None
        self.request_id: str | None = None
        self._registry = registry
        self._loaded: asyncio.Event | None = asyncio.Event()  # None once it is loaded

    @property
    def version(self) -> int:
        return self.state.version if self.state else 0

    def item(self, language: str | None) -> str:
        """The state as JSON text, rendered once for all who want it in `language`."""
        if language in self.items:
            return self.items[language]
        assert self.state is not None
        html = None
        if language:
            html = self._registry.render(self.key, self.state, language)
        name = self._registry.name_of(self.key)
        text = protocol.item(name, self.state.version, self.state.facts, html)
        if not self._registry.is_personal_key(self.key):  # few ask for that again
            self.items[language] = text
        return text

    def fingerprint(self, version: int) -> int:
        """What `version` of this topic adds to a digest."""
        return protocol.fingerprint(self._registry.name_of(self.key), version)

    def is_loaded(self) -> bool:
        return self._loaded is None

    async def until_loaded(self) -> None:
        if self._loaded is not None:
            await self._loaded.wait()

    def mark_loaded(self) -> None:
        """The topic has its state, or is known not to exist."""
        if self._loaded is not None:
            self._loaded.set()
            self._loaded = None  # it weighs more than the rest of a topic

    def doubt(self) -> None:
        """The state is of another timeline: the next one replaces it, whatever its
        version."""
        self.announced = self.sent = 0
        self.waiting_since = None
        self.items.clear()
        if self._loaded is None:
            self._loaded = asyncio.Event()

    def take(self, state: State) -> bool:
        """Keep `state` if it is newer, or the first on its timeline. Returns whether it
        was kept."""
        is_first = self.state is None or not self.is_loaded()
        if not is_first and state.version <= self.version:
            return False
        self.state = state
        self.items.clear()
        return True


class Topics:
    """All topics held here, and which of them have changed since the last tick."""

    def __init__(self, registry: Registry) -> None:
        self.by_key: dict[str, Topic] = {}
        self.dirty: set[str] = set()  # keys of topics whose change is not written yet
        self.changed = asyncio.Event()  # set while some are
        self.changes = 0  # of all topics, ever
        self._registry = registry

    def hold(self, key: str) -> Topic:
        """The topic with that key, watched by one more."""
        topic = self.by_key.get(key)
        if topic is None:
            topic = self.by_key[key] = Topic(key, self._registry)
            if self._registry.is_ownerless(key):
                topic.joined = True
                topic.take(self._registry.empty_state(key))
                topic.mark_loaded()
        topic.watchers += 1
        return topic

    def let_go(self, topic: Topic) -> None:
        """The topic is watched by one less."""
        topic.watchers -= 1
        topic.idle_since = time.monotonic()

    def is_watched(self, key: str | None) -> bool:
        return key in self.by_key and self.by_key[key].watchers > 0

    def loadable(self) -> list[Topic]:
        """The topics whose state is in the database."""
        topics = self.by_key.values()
        return [topic for topic in topics if not self._registry.is_ownerless(topic.key)]

    def accept(self, topic: Topic, state: State) -> None:
        """Keep a state that may be newer than the one held."""
        if not topic.is_loaded():
            topic.take(state)
            self._count_change(topic)
            topic.sent = state.version  # those who wait for it get it as a snapshot
            topic.waiting_since = None
            topic.mark_loaded()
        elif topic.take(state):
            self._count_change(topic)
            self.dirty.add(topic.key)
            self.changed.set()

    def _count_change(self, topic: Topic) -> None:
        self.changes += 1
        topic.changed = self.changes

    def take_dirty(self) -> set[str]:
        """The keys of topics whose change is to be written now."""
        self.changed.clear()
        keys, self.dirty = self.dirty & self.by_key.keys(), set()
        return keys

    def doubt_all(self) -> None:
        """All states are of another timeline."""
        for topic in self.loadable():
            topic.doubt()
        self.dirty.clear()
