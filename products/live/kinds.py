"""Kinds of topic: who may watch them, and how they are loaded and rendered.

A topic is a named piece of state. Its *name* is what pages and sockets say
("stock:42", "basket"); its *key* is where it is kept ("stock:42", "basket:u7"): a
personal topic's key comes from the session, never from the client.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import connection
from django.template.loader import get_template, render_to_string
from django.template.loader_tags import IncludeNode
from django.urls import reverse
from django.utils import formats, translation

from products.live.baskets import (
    EMPTY_BASKET,
    NO_HOLD,
    NO_LINES,
    all_contents,
    all_holds,
    summaries,
)
from products.live.loaders import (
    basket_versions,
    by_owner,
    load_board,
    load_order,
    load_orders,
    load_pulse,
    load_shelf,
    load_shelves,
    load_stock,
    order_versions,
    orders_version,
    pulse_version,
    shelves_version,
    stock_versions,
)
from products.live.state import State
from products.live.viewers import Viewer

NAMES_KEPT = 10_000  # of topics that were asked for, with what was found out of them
TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")
PULSE = "pulse:"  # the key of what the pulse page shows


def timeline() -> str:
    """Return the name of the timeline that versions count on, as it is now. Another
    one says that the database may have gone back to an earlier state."""
    connection.ensure_connection()
    return connection.read_timeline()


class Access(NamedTuple):
    """To whom a kind is open."""

    personal: bool = False  # one for each owner: "basket" is whoever's who asks
    right: str | None = None  # a permission, one of STAFF_RIGHTS


EVERYBODY, OWNERS = Access(), Access(personal=True)


class Kind(NamedTuple):
    """One kind of topic. `load` and `versions` take and give keys without the kind."""

    template: str
    variable: str  # what the template calls the facts
    access: Access
    load: Callable[[list[str]], dict[str, State]]
    versions: Callable[[list[str]], dict[str, int]]
    # What follows the kind in a name ("stock:42"); None: nothing, as there is one.
    accepts: Callable[[str], bool] | None = None
    empty: dict | None = None  # of a personal kind: the facts of who is nobody yet


def _is_number(text: str) -> bool:
    """Whether `text` is how a row's key is written, in one way only."""
    is_digits = text.isascii() and text.isdigit() and len(text) < 19
    return is_digits and text[0] != "0"


def _is_token(text: str) -> bool:
    return TOKEN.fullmatch(text) is not None


KINDS = {
    "stock": Kind(
        "products/_stock.html",
        "stock",
        EVERYBODY,
        load_stock,
        stock_versions,
        accepts=_is_number,
    ),
    "shelf": Kind(
        "products/_shelf.html",
        "shelf",
        Access(right="products.view_stock"),
        load_shelf,
        stock_versions,
        accepts=_is_number,
    ),
    "shelves": Kind(
        "staff/_shelves.html",
        "shelves",
        Access(right="products.view_stock"),
        load_shelves,
        shelves_version,
    ),
    "order": Kind(
        "orders/_status.html",
        "order",
        EVERYBODY,
        load_order,
        order_versions,
        accepts=_is_token,
    ),
    "orders": Kind(
        "staff/_counts.html",
        "orders",
        Access(right="products.view_order"),
        load_orders,
        orders_version,
    ),
    "board": Kind(
        "staff/_moves.html",
        "board",
        Access(right="products.view_order"),
        load_board,
        orders_version,
    ),
    "pulse": Kind(
        "staff/_pulse.html",
        "pulse",
        Access(right="products.view_order"),
        load_pulse,
        pulse_version,
    ),
    "basket": Kind(
        "products/_basket_badge.html",
        "basket",
        OWNERS,
        by_owner(summaries, EMPTY_BASKET),
        basket_versions,
        empty=EMPTY_BASKET,
    ),
    "basket:hold": Kind(
        "orders/_hold.html",
        "hold",
        OWNERS,
        by_owner(all_holds, NO_HOLD),
        basket_versions,
        empty=NO_HOLD,
    ),
    "basket:lines": Kind(
        "products/_basket_lines.html",
        "basket",
        OWNERS,
        by_owner(all_contents, NO_LINES),
        basket_versions,
        empty=NO_LINES,
    ),
}


def _kind_of(key: str) -> str:
    return key.rpartition(":")[0]


def is_personal(name: str) -> bool:
    """Whether each has a topic of this name for themselves."""
    return name in KINDS and KINDS[name].access.personal


def is_owned(key: str) -> bool:
    """Whether it is the key of somebody's own topic."""
    return KINDS[_kind_of(key)].access.personal


@lru_cache(NAMES_KEPT)
def is_public(name: str) -> bool:
    """Whether it needs no knowledge of who asks to say what `name` stands for."""
    kind = KINDS.get(name) or KINDS.get(name.partition(":")[0])
    return kind is None or kind.access == EVERYBODY


def key_of(name: str, viewer: Viewer) -> str | None:
    """Where the topic `name` is kept for `viewer`; None if there is none for them.

    This is the authorisation: a client can say "basket", never whose; and what is
    closed to a viewer does not exist for them.
    """
    if is_personal(name):
        return f"{name}:{viewer.owner.key}" if viewer.owner else f"{name}:"
    key, right = _shared(name)
    return key if right is None or right in viewer.rights else None


@lru_cache(NAMES_KEPT)
def _shared(name: str) -> tuple[str | None, str | None]:
    """Where a topic that is not personal is kept, and the right to it; None each if
    there is none."""
    name_of_kind, _, identifier = name.partition(":")
    kind = KINDS.get(name_of_kind)
    if kind is None or not _is_name(kind, name, identifier):
        return None, None
    return name if kind.accepts else f"{name}:", kind.access.right


def _is_name(kind: Kind, name: str, identifier: str) -> bool:
    if kind.accepts is None:
        return ":" not in name
    return kind.accepts(identifier)


def name_of(key: str) -> str:
    """The name by which clients know the topic kept under `key`."""
    kind = _kind_of(key)
    return key if KINDS[kind].accepts else kind


def is_nobodys(key: str) -> bool:
    """Whether `key` is the basket of a visitor who has none yet: it never changes."""
    return key.endswith(":") and is_owned(key)


def nobodys(key: str) -> State:
    """The state of a topic for which `is_nobodys` holds."""
    return State(0, KINDS[_kind_of(key)].empty)


def load(keys: Iterable[str]) -> dict[str, State]:
    """The state of each topic from the database; what does not exist is left out."""
    return _each_kind(keys, lambda kind: kind.load)


def versions(keys: Iterable[str]) -> dict[str, int]:
    """The versions alone, cheaper than `load`; what does not exist is left out."""
    return _each_kind(keys, lambda kind: kind.versions)


def _each_kind(keys: Iterable[str], method: Callable) -> dict:
    wanted: Mapping[str, list[str]] = defaultdict(list)
    for key in keys:
        kind, _, identifier = key.rpartition(":")
        wanted[kind].append(identifier)
    return {
        f"{kind}:{identifier}": found
        for kind, identifiers in wanted.items()
        for identifier, found in method(KINDS[kind])(identifiers).items()
    }


def render(key: str, state: State, language: str) -> str:
    """The topic's partial in `language`: the very template that the page includes."""
    kind = KINDS[_kind_of(key)]
    context = {kind.variable: state.facts, "version": state.version}
    context |= state.shown or {}
    with translation.override(language):
        return render_to_string(kind.template, context)


def prepare() -> None:
    """Load now what the first push would load while every socket waits: templates,
    the addresses of pages and of static files, languages. Addresses alone are a fifth
    of a second, as they import every view."""
    for language, _ in settings.LANGUAGES:
        with translation.override(language):
            reverse("products:list")
            formats.get_format("DATETIME_FORMAT")
    for kind in KINDS.values():
        _load_template(kind.template)
    staticfiles_storage.base_url  # noqa: B018  it reads its manifest on first use


def _load_template(name: str) -> None:
    """A template and what it includes, which Django would load as it renders it."""
    for node in get_template(name).template.nodelist.get_nodes_by_type(IncludeNode):
        included = node.template.var
        if isinstance(included, str):  # else it depends on the facts
            _load_template(included)
