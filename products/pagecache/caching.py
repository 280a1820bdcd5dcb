"""What the shop remembers of its catalogue, and for how long: the low-level API.

A thing that was built is kept together with the *generations* it was built under. Who
changes the catalogue gives the generations that are touched new values, which is all
that "invalidation" is: nothing is looked for, and nothing that was not touched goes.
The values are read before building, so what was built while a change committed is
kept under the old ones, and never shown again.

    SHELVES           the categories: names, order, descriptions
    CATALOGUE         any product as lists show it
    category(slug)    any product of that category
    product(slug)     that product, and what its page shows beside it

A maximum age is the backstop for when no worker runs. Staff are shown nothing from
here: who makes a change sees it at once (`fresh_for_staff`).
"""

import functools
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from project import replicas

T = TypeVar("T")

SHELVES, CATALOGUE = "shelves", "catalogue"

GENERATIONS_S = 60 * 60 * 24  # much longer than anything is kept
UNTOUCHED = "0"
GRACE_S = 10  # something too old may be shown while it is built anew, once
LOCK_S = 10  # a builder that took longer is given up
WAIT_S = 3  # for somebody else's building; then each for themselves
LOOK_S = 0.02


def category(slug: str) -> str:
    """The generation of a category's list."""
    return f"category:{slug}"


def product(slug: str) -> str:
    """The generation of a product's page."""
    return f"product:{slug}"


# --- Reading ----------------------------------------------------------------------


class Kept(NamedTuple):
    """Something in the cache, as JSON writes it: a list."""

    value: Any
    under: list[str]  # the values of its generations
    until: float  # Unix time


def cached(
    name: str,
    generation: str | Iterable[str],
    build: Callable[[], T],
    max_age: float | None = None,
) -> T:
    """What `build()` gives (something JSON-ready), built once for all who ask.

    `name` must say everything that the value depends on, the language too. It is built
    anew when one of its generations is touched, or after `max_age` seconds (None:
    `settings.CATALOGUE_MAX_AGE_S`; 0: it is not kept). Of many who miss it at once one
    builds and the others wait; while something old is renewed, the others get the old
    one. Raises what `build` raises; then nothing is kept.
    """
    names = [generation] if isinstance(generation, str) else list(generation)
    return keep(name, names, build, max_age).value


def keep(
    name: str, names: list[str], build: Callable[[], Any], max_age: float | None = None
) -> Kept:
    """As `cached`, and until when that holds, under which generations."""
    max_age = settings.CATALOGUE_MAX_AGE_S if max_age is None else max_age
    if max_age <= 0 or wants_fresh():
        return _alone(build)
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found, under = look(name, names)
        if _is_good(found, under):
            return found
        if cache.add(_lock(name), 1, LOCK_S):
            return _build(name, names, build, max_age)
        if _is_old(found, under):
            return found
        time.sleep(LOOK_S)
    return _alone(build)


def _alone(build: Callable[[], Any]) -> Kept:
    return Kept(build(), [], 0)


def look(name: str, names: list[str]) -> tuple[Kept | None, list[str]]:
    """What is kept under `name`, and the values of its generations now."""
    keys = [_generation(each) for each in names]
    found = cache.get_many([_value(name), *keys])
    kept = found.get(_value(name))
    return (Kept(*kept) if kept else None), [found.get(k, UNTOUCHED) for k in keys]


def generations(names: Iterable[str]) -> dict[str, str]:
    """The values of these generations now; empty where the cache does not answer."""
    keys = {_generation(name): name for name in names}
    found = cache.get_many([*keys, _AWAKE])
    if _AWAKE not in found:
        cache.set(_AWAKE, 1, None)
        if not cache.get(_AWAKE):
            return {}
    return {name: found.get(key, UNTOUCHED) for key, name in keys.items()}


def _build(
    name: str, names: list[str], build: Callable[[], Any], max_age: float
) -> Kept:
    """Build with the lock in hand, unless somebody has just done so."""
    try:
        found, under = look(name, names)
        if _is_good(found, under):
            return found
        with replicas.caught_up():  # no older than the generations that were read
            kept = Kept(build(), under, time.time() + max_age)
        cache.set(_value(name), kept, max_age + GRACE_S)
        return kept
    finally:
        cache.delete(_lock(name))


def _is_good(kept: Kept | None, under: list[str]) -> bool:
    return _is_old(kept, under) and time.time() < kept.until


def _is_old(kept: Kept | None, under: list[str]) -> bool:
    """Whether it would be good but for its age."""
    return kept is not None and kept.under == under


_AWAKE = "awake"  # there whenever Redis is


def _value(name: str) -> str:
    return f"kept:{release()}:{name}"


@functools.cache
def release() -> str:
    """What was built by other templates, with other names of static files, in other
    words or for another address is not shown by this release of the shop."""
    patterns = ("templates/**/*.*", "locale/**/*.mo", "*/locale/**/*.mo")  # not .venv
    files = [path for each in patterns for path in settings.BASE_DIR.glob(each)]
    digest = hashlib.blake2b(digest_size=8)
    digest.update(getattr(staticfiles_storage, "manifest_hash", "").encode())
    digest.update(settings.DOMAIN_NAME.encode())
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _lock(name: str) -> str:
    return f"lock:{name}"


def _generation(name: str) -> str:
    return f"generation:{name}"


def cached_pieces(
    names: Iterable[str], build: Callable[[str], T], max_age: float
) -> dict[str, T]:
    """The pieces of these names, each made by `build(name)` where it is not kept. For
    pieces whose names say all that is in them, so that they are never out of date."""
    keys = {name: _value(name) for name in names}
    is_on = settings.CATALOGUE_MAX_AGE_S > 0
    found = cache.get_many(keys.values()) if is_on and keys else {}
    made = {name: build(name) for name, key in keys.items() if key not in found}
    if made and is_on:
        cache.set_many({keys[name]: piece for name, piece in made.items()}, max_age)
    return {name: found[key] for name, key in keys.items() if key in found} | made


# --- Touching ---------------------------------------------------------------------


def touch(names: Iterable[str]) -> None:
    """What was built under these generations is not shown any more."""
    values = {_generation(name): secrets.token_hex(8) for name in names}
    if values:
        cache.set_many(values, GENERATIONS_S)


# --- Who sees things as they are --------------------------------------------------

_wants_fresh: ContextVar[Callable[[], bool]] = ContextVar("wants_fresh")


def wants_fresh() -> bool:
    """Whether whoever is served is to see everything as it is now."""
    ask = _wants_fresh.get(None)
    return ask is not None and ask()


@contextmanager
def fresh_if(ask: Callable[[], bool]) -> Iterator[None]:
    """Within, nothing kept is shown if `ask()` says so when it comes to that."""
    token = _wants_fresh.set(ask)
    try:
        yield
    finally:
        _wants_fresh.reset(token)


Handler = Callable[[HttpRequest], HttpResponse]


def fresh_for_staff(get_response: Handler) -> Handler:
    """A middleware. Who the visitor is, is looked up when something kept is asked for:
    other pages cost nothing."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with fresh_if(lambda: request.user.is_staff):
            return get_response(request)

    return middleware
