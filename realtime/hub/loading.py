"""Loads states from the database, and notices when it is on another timeline."""

import asyncio
from collections.abc import Callable, Iterable

from realtime.hub.database import AWAY, Database, Unavailable
from realtime.hub.topics import Topic, Topics
from realtime.hub.writing import Writer
from realtime.registry import Registry, State

GATHER_S = 0.01  # pause between loads, to load together what is wanted meanwhile


class Loader:
    """Loads topics, many with one query.

    `on_restore` is called when the database is on another timeline than the states that
    are held here.
    """

    def __init__(
        self,
        registry: Registry,
        database: Database,
        topics: Topics,
        writer: Writer,
        on_restore: Callable[[], None],
    ) -> None:
        self.timeline: str | None = None  # of the states held here
        self._registry, self._database = registry, database
        self._topics, self._writer = topics, writer
        self._on_restore = on_restore
        self._stale: set[str] = set()
        self._wanted = asyncio.Event()  # set while some topics are stale
        self._learning = asyncio.Lock()

    def reload(self, keys: Iterable[str]) -> None:
        """Load these topics soon."""
        is_ownerless = self._registry.is_ownerless
        self._stale.update(key for key in keys if not is_ownerless(key))
        self._wanted.set()

    async def run(self) -> None:
        """Load whatever is stale, again and again. If the database is away, raise: what
        is stale then stays stale."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            keys = [key for key in self._stale if key in self._topics.by_key]
            self._stale.clear()
            if keys:
                await self._load(keys)
                await asyncio.sleep(GATHER_S)

    async def _load(self, keys: list[str]) -> None:
        try:
            timeline, states = await self._database.ask(
                self._registry.load_with_timeline, keys, self.timeline
            )
        except AWAY:
            self.reload(keys)
            raise
        self.follow(timeline)
        for key in keys:
            if topic := self._topics.by_key.get(key):
                self._store(topic, states.get(key))

    def _store(self, topic: Topic, state: State | None) -> None:
        if state is not None:
            self._topics.accept(topic, state)
            if self._registry.is_personal_key(topic.key):
                self._writer.write_now(topic.key)
        elif not topic.is_loaded():
            topic.state = None
            topic.mark_loaded()  # there is no such topic

    async def learn_timeline(self) -> None:
        """Ask for the timeline if it is not known, as when all states have come by
        messages. Raises `Unavailable`."""
        async with self._learning:
            if self.timeline is None:
                try:
                    timeline = await self._database.ask(self._registry.timeline)
                except AWAY:
                    raise Unavailable from None
                self.follow(timeline)

    def follow(self, timeline: str) -> None:
        """The database is on that timeline: if it is another one, load everything
        again."""
        before, self.timeline = self.timeline, timeline
        if before not in (None, timeline):
            self._topics.doubt_all()
            self.reload(self._topics.by_key)
            self._on_restore()
