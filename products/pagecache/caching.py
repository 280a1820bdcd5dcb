"""The catalogue's cache: a value is built once, and rebuilt after a change.

A value is cached together with its *generations*: random strings that a change of the
catalogue replaces (`touch`). A value is current while its generations are. So nothing
has to be found and deleted, and values that do not depend on the change stay.
Generations are read before the value is built. A value that was built while a change
was committed therefore has the old generations, and is not shown after it.

    SHELVES           the categories: names, order, descriptions
    CATALOGUE         any product, as lists show it
    category(slug)    any product of that category
    product(slug)     that product, and the products that its page shows

Values expire as well, in case no worker touches their generations. Staff bypass the
cache, so that they see their own changes at once (`fresh_for_staff`).
"""

import functools
import hashlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeGuard, TypeVar

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from project.replicas.routing import caught_up

T = TypeVar("T")

SHELVES, CATALOGUE = "shelves", "catalogue"

GENERATIONS_S = 60 * 60 * 24  # much longer than any value is cached
UNTOUCHED = "0"
GRACE_S = 10  # an expired value is shown for so long while one request rebuilds it
LOCK_S = 10  # to build a value; then another request may try
WAIT_S = 3  # for another request to build a value; then each request builds its own
POLL_S = 0.02


def category(slug: str) -> str:
    """Return the name of the generation of a category's list."""
    return f"category:{slug}"


def product(slug: str) -> str:
    """Return the name of the generation of a product's page."""
    return f"product:{slug}"


# --- Reading ----------------------------------------------------------------------


class Entry(NamedTuple):
    """A cached value. It is stored as JSON, so as a list."""

    value: Any
    generations: list[str]  # their values when this was built
    expires_at: float  # Unix time


def cached(
    name: str,
    generation: str | Iterable[str],
    build: Callable[[], T],
    max_age: float | None = None,
) -> T:
    """Return the cached value called `name`, or what `build()` returns, which must be
    something that JSON can store.

    `name` must contain everything that the value depends on, such as the language. The
    value is rebuilt when one of its generations is touched, or after `max_age` seconds
    (None: `settings.CATALOGUE_MAX_AGE_S`; 0: it is not cached). If many requests miss
    it at once, one builds it and the others wait; if it has only expired, the others
    get the expired one. Raises what `build` raises, and caches nothing then.
    """
    names = [generation] if isinstance(generation, str) else list(generation)
    return cached_entry(name, names, build, max_age).value


def cached_entry(
    name: str, names: list[str], build: Callable[[], Any], max_age: float | None = None
) -> Entry:
    """As `cached`, with the value's generations (called `names`) and expiry."""
    max_age = settings.CATALOGUE_MAX_AGE_S if max_age is None else max_age
    if max_age <= 0 or wants_fresh():
        return _uncached(build)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        entry, generations = look_up(name, names)
        if _is_fresh(entry, generations):
            return entry
        if cache.add(_lock_key(name), 1, LOCK_S):
            return _build_locked(name, names, build, max_age)
        if _is_current(entry, generations):
            return entry
        time.sleep(POLL_S)
    return _uncached(build)


def _uncached(build: Callable[[], Any]) -> Entry:
    return Entry(build(), [], 0)


def look_up(name: str, names: list[str]) -> tuple[Entry | None, list[str]]:
    """Return what is cached as `name`, and what the generations called `names` are."""
    keys = [_generation_key(each) for each in names]
    entries = cache.get_many([_value_key(name), *keys])
    value = entries.get(_value_key(name))
    generations = [entries.get(key, UNTOUCHED) for key in keys]
    return (Entry(*value) if value else None), generations


def read_generations(names: Iterable[str]) -> dict[str, str]:
    """Return the generations with these names; {} if the cache does not answer."""
    keys = {_generation_key(name): name for name in names}
    entries = cache.get_many([*keys, _ALIVE])
    if _ALIVE not in entries:
        cache.set(_ALIVE, 1, None)
        if not cache.get(_ALIVE):
            return {}
    return {name: entries.get(key, UNTOUCHED) for key, name in keys.items()}


def _build_locked(
    name: str, names: list[str], build: Callable[[], Any], max_age: float
) -> Entry:
    """Build and cache a value while holding its lock. Another request may have done so
    just before we got the lock."""
    try:
        entry, generations = look_up(name, names)
        if _is_fresh(entry, generations):
            return entry
        with caught_up():  # no older than the generations
            entry = Entry(build(), generations, time.time() + max_age)
        cache.set(_value_key(name), entry, max_age + GRACE_S)
        return entry
    finally:
        cache.delete(_lock_key(name))


def _is_fresh(entry: Entry | None, generations: list[str]) -> TypeGuard[Entry]:
    return _is_current(entry, generations) and time.time() < entry.expires_at


def _is_current(entry: Entry | None, generations: list[str]) -> TypeGuard[Entry]:
    return entry is not None and entry.generations == generations


_ALIVE = "awake"  # a key that is there whenever Redis is


def _value_key(name: str) -> str:
    return f"kept:{release()}:{name}"


@functools.cache
def release() -> str:
    """Return a hash of all that cached HTML depends on besides data: templates,
    translations, names of static files and the shop's address. A new release does not
    show what an old one has cached."""
    patterns = ("templates/**/*.*", "locale/**/*.mo", "*/locale/**/*.mo")  # not .venv
    files = [path for each in patterns for path in settings.BASE_DIR.glob(each)]
    digest = hashlib.blake2b(digest_size=8)
    digest.update(getattr(staticfiles_storage, "manifest_hash", "").encode())
    digest.update(settings.DOMAIN_NAME.encode())
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _lock_key(name: str) -> str:
    return f"lock:{name}"


def _generation_key(name: str) -> str:
    return f"generation:{name}"


def cached_pieces(
    names: Iterable[str], build: Callable[[str], T], max_age: float
) -> dict[str, T]:
    """Return the cached pieces with these names, and call `build(name)` for those that
    are missing. A piece has no generations, as its name contains all that it shows."""
    keys = {name: _value_key(name) for name in names}
    is_on = settings.CATALOGUE_MAX_AGE_S > 0
    cached = cache.get_many(keys.values()) if is_on and keys else {}
    built = {name: build(name) for name, key in keys.items() if key not in cached}
    if built and is_on:
        cache.set_many({keys[name]: piece for name, piece in built.items()}, max_age)
    return {name: cached[key] for name, key in keys.items() if key in cached} | built


# --- Invalidation -----------------------------------------------------------------


def touch(names: Iterable[str]) -> None:
    """Replace these generations, so that no value that depends on them is shown."""
    values = {_generation_key(name): secrets.token_hex(8) for name in names}
    if values:
        cache.set_many(values, GENERATIONS_S)


# --- Bypassing the cache ----------------------------------------------------------

_wants_fresh: ContextVar[Callable[[], bool]] = ContextVar("wants_fresh")


def wants_fresh() -> bool:
    """Return whether this request bypasses the cache."""
    ask = _wants_fresh.get(None)
    return ask is not None and ask()


@contextmanager
def fresh_if(ask: Callable[[], bool]) -> Iterator[None]:
    """Bypass the cache inside this context if `ask()` is true. It is called only when
    something is looked up in the cache."""
    token = _wants_fresh.set(ask)
    try:
        yield
    finally:
        _wants_fresh.reset(token)


Handler = Callable[[HttpRequest], HttpResponse]


def fresh_for_staff(get_response: Handler) -> Handler:
    """A middleware: staff bypass the cache. `request.user` is loaded only by pages that
    use the cache."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with fresh_if(lambda: request.user.is_staff):
            return get_response(request)

    return middleware
