"""The interface of an application for the live core: topics, people and languages.

An application subclasses `Registry` and names an instance in
`settings.LIVE["REGISTRY"]`. The live core knows nothing else of it.

Words used here and in the hub:

    topic       a named piece of state, with a version that only grows
    name        what pages and sockets call a topic: "stock:42", "basket"
    key         where a topic is kept: "stock:42", "basket:u7". A personal topic's key
                comes from the session, never from the client
    topic kind  how topics of one sort are loaded and rendered, and who may watch them
    state       a topic's version and facts (JSON), as read from the database
    viewer      who watches: who a session belongs to at one moment
    owner       whose personal topics these are; the end of their keys ("u7")
    session     the browser session that a socket was opened with
    socket      one open WebSocket
    audience    sockets that watch the same topics in the same language
    timeline    the history that versions count on; a restored database has another
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.module_loading import import_string

from realtime.protocol import Close

NAMES_KEPT = 10_000  # names of topics whose parsing is remembered

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    """A topic at one moment. `facts` is ready for JSON; `version` only ever grows."""

    version: int
    facts: dict[str, Any]
    context: dict[str, Any] | None = None  # for the partial only; it is never sent


# Publish this version of a topic whose version takes a query: it is newer than any
# version that a hub holds, so the hub looks it up.
AT_LEAST = 2**53


class Access(NamedTuple):
    """Who may watch the topics of a kind."""

    personal: bool = False  # each owner has their own: "basket"
    right: str | None = None  # the permission that a viewer needs


PUBLIC, PERSONAL = Access(), Access(personal=True)


class TopicKind(NamedTuple):
    """One kind of topic. `load` and `versions` get and return identifiers: what follows
    the kind in a key. They leave out what does not exist."""

    template: str
    variable: str  # the facts' name in the template
    access: Access
    load: Callable[[list[str]], dict[str, State]]
    versions: Callable[[list[str]], dict[str, int]]
    # Whether a text may follow the kind in a name ("stock:42"). None: nothing may, as
    # there is only one such topic.
    accepts: Callable[[str], bool] | None = None
    # The facts of a personal topic while its viewer owns nothing.
    empty: dict[str, Any] | None = None


NEVER = datetime.max.replace(tzinfo=UTC)


class Viewer(NamedTuple):
    """Who a session belongs to at one moment."""

    owner: str = ""  # ends the keys of their personal topics; empty: they have none
    rights: frozenset[str] = frozenset()
    user_id: int | None = None  # their account, if they are signed in
    expires: datetime = NEVER  # when their session does
    evidence: Any = (
        None  # what the registry compares to see whether all this still holds
    )


STRANGER = Viewer()  # a visitor without a session


class Registry(ABC):
    """The topics and the people of an application.

    Methods that query run in the hub's own threads. All others run on the event loop,
    so they must not wait.
    """

    kinds: dict[str, TopicKind]
    # The key of the topic that shows how the processes do, if there is one. No message
    # announces it: the hub loads it again every few seconds while somebody watches.
    pulse_key: str | None = None

    # --- Names and keys -----------------------------------------------------------

    def __init__(self) -> None:
        self.is_public = lru_cache(NAMES_KEPT)(self._is_public)
        self._shared = lru_cache(NAMES_KEPT)(self._parse_shared)

    def key_of(self, name: str, viewer: Viewer) -> str | None:
        """The key of the topic `name` for `viewer`, or None if there is none for them.

        This is the authorisation. A client can say "basket", never whose. A topic that
        a viewer may not watch does not exist for them.
        """
        if self.is_personal(name):
            return f"{name}:{viewer.owner}"
        key, right = self._shared(name)
        return key if right is None or right in viewer.rights else None

    def name_of(self, key: str) -> str:
        """The name of the topic with that key."""
        kind = kind_of(key)
        return key if self.kinds[kind].accepts else kind

    def is_personal(self, name: str) -> bool:
        """Whether each owner has a topic of this name for themselves."""
        return name in self.kinds and self.kinds[name].access.personal

    def is_personal_key(self, key: str) -> bool:
        """Whether this is the key of somebody's personal topic."""
        return self.kinds[kind_of(key)].access.personal

    def is_ownerless(self, key: str) -> bool:
        """Whether this is the key of a personal topic of a viewer who owns nothing.
        Its state is `empty_state` and never changes."""
        return key.endswith(":") and self.is_personal_key(key)

    def empty_state(self, key: str) -> State:
        """The state of a topic whose key `is_ownerless`."""
        return State(0, self.kinds[kind_of(key)].empty or {})

    def _is_public(self, name: str) -> bool:
        """Whether the key of the topic `name` is the same for every viewer."""
        kind = self.kinds.get(name) or self.kinds.get(name.partition(":")[0])
        return kind is None or kind.access == PUBLIC

    def _parse_shared(self, name: str) -> tuple[str | None, str | None]:
        """The key of a topic that is not personal and the right it needs; None each if
        there is no such topic."""
        name_of_kind, _, identifier = name.partition(":")
        kind = self.kinds.get(name_of_kind)
        if kind is None:
            return None, None
        if kind.accepts is None:
            is_name, key = ":" not in name, f"{name}:"
        else:
            is_name, key = kind.accepts(identifier), name
        return (key, kind.access.right) if is_name else (None, None)

    # --- States -------------------------------------------------------------------

    def load(self, keys: Iterable[str]) -> dict[str, State]:
        """Query the states of these topics. Leaves out those that do not exist."""
        return self._by_kind(keys, lambda kind: kind.load)

    def versions(self, keys: Iterable[str]) -> dict[str, int]:
        """Query the versions only, which costs less than `load`."""
        return self._by_kind(keys, lambda kind: kind.versions)

    def _by_kind(
        self,
        keys: Iterable[str],
        method_of: Callable[[TopicKind], Callable[[list[str]], dict[str, T]]],
    ) -> dict[str, T]:
        identifiers: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            kind, _, identifier = key.rpartition(":")
            identifiers[kind].append(identifier)
        return {
            f"{kind}:{identifier}": value
            for kind, wanted in identifiers.items()
            for identifier, value in method_of(self.kinds[kind])(wanted).items()
        }

    @abstractmethod
    def timeline(self) -> str:
        """Query the name of the timeline that versions count on. When it changes, the
        database may have gone back to an earlier state."""

    def load_with_timeline(
        self, keys: Iterable[str], known: str | None
    ) -> tuple[str, dict[str, State]]:
        """Query states and the timeline that they are on. `known` is the timeline of
        the states that the hub holds."""
        states = self.load(keys)
        return self.timeline(), states

    def render(self, key: str, state: State, language: str) -> str:
        """The topic's partial in `language`: the template that its page includes."""
        kind = self.kinds[kind_of(key)]
        context = {kind.variable: state.facts, "version": state.version}
        context |= state.context or {}
        with translation.override(language):
            return render_to_string(kind.template, context)

    def languages(self) -> Collection[str]:
        """The codes of the languages that partials can be rendered in."""
        return dict(settings.LANGUAGES)

    def prepare(self) -> None:
        """Load at the start of a process what the first push would need."""

    # --- People -------------------------------------------------------------------

    @abstractmethod
    def identify(self, session_keys: Iterable[str]) -> dict[str, Viewer]:
        """Query what sessions stand for now. Leaves out sessions that have ended."""

    @abstractmethod
    def doubtful(self, viewers: Mapping[str, Viewer]) -> set[str]:
        """Query which sessions may stand for somebody else by now, of viewers by
        session key. May return too many, never too few."""

    @abstractmethod
    def compare(self, before: Viewer, now: Viewer | None) -> Close | None:
        """Why sockets of the viewer `before` must be closed, now that their session
        stands for `now`; None if they may stay open."""


def kind_of(key: str) -> str:
    """The name of the kind of the topic with that key."""
    return key.rpartition(":")[0]


def configured() -> Registry:
    """The registry that `settings.LIVE` names."""
    registry: Registry = import_string(settings.LIVE["REGISTRY"])
    return registry
