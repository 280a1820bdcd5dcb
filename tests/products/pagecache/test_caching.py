"""What is cached, for how long, and which request builds it."""

import threading

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.http import HttpResponse

from products.pagecache import caching
from products.pagecache.caching import cached, touch
from tests.support.concurrency import together
from tests.support.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

LONG_S = 20  # a limit for what happens at once


@pytest.fixture(autouse=True)
def caching_is_on(settings):
    settings.CATALOGUE_MAX_AGE_S = 60
    return settings


class Builder:
    """Builds 1, then 2, …; a test can hold it in the middle."""

    def __init__(self) -> None:
        self.count = 0
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def __call__(self) -> int:
        self.count += 1
        built = self.count
        self.begun.set()
        assert self.go_on.wait(LONG_S)
        return built


@pytest.fixture
def build() -> Builder:
    return Builder()


def expire(name: str, seconds: float = 61) -> None:
    """Make it look as if it had been built `seconds` earlier."""
    key = caching._value_key(name)
    value, generations, expires_at = cache.get(key)
    cache.set(key, (value, generations, expires_at - seconds), 60)


def get(build, name: str = "lamps", generation="lamp") -> int:
    return cached(name, generation, build)


# --- Cached, and for how long -----------------------------------------------------


def test_cached_called_twice_builds_once(build):
    assert [get(build), get(build)] == [1, 1]


def test_cached_with_another_name_builds_another_value(build):
    assert [get(build, "lamps"), get(build, "jugs")] == [1, 2]


def test_cached_after_its_generation_is_touched_builds_again(build):
    get(build)

    touch(["lamp"])

    assert [get(build), get(build)] == [2, 2]


def test_cached_after_one_of_its_generations_is_touched_builds_again(build):
    both = ["lamp", "jug"]
    get(build, generation=both)

    touch(["jug"])

    assert get(build, generation=both) == 2


def test_cached_after_another_generation_is_touched_stays(build):
    get(build)

    touch(["jug"])

    assert get(build) == 1


def test_cached_after_it_expires_builds_again(build):
    get(build)

    expire("lamps")

    assert get(build) == 2


def test_cached_when_caching_is_off_builds_each_time(build, caching_is_on):
    caching_is_on.CATALOGUE_MAX_AGE_S = 0

    assert [get(build), get(build)] == [1, 2]


def test_cached_by_another_release_builds_again(build, monkeypatch):
    get(build)

    monkeypatch.setattr(caching, "release", lambda: "another")

    assert get(build) == 2


def test_cached_when_build_fails_caches_nothing_and_blocks_nobody(build):
    def fail():
        raise ValueError("no lamps")

    with pytest.raises(ValueError):
        get(fail)

    assert get(build) == 1


WORDS = "locale/de/LC_MESSAGES/django.mo"


@pytest.mark.parametrize(
    "name, counts",
    [
        ("templates/page.html", True),
        (WORDS, True),
        (f"products/{WORDS}", True),
        # There are 1,353 such files, which each process would read for its first page.
        (f".venv/lib/django/conf/{WORDS}", False),
    ],
)
def test_release_depends_on_the_shops_templates_and_words(
    settings, tmp_path, name, counts
):
    settings.BASE_DIR = tmp_path
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text("one")
    one = caching.release.__wrapped__()

    file.write_text("two")

    assert (caching.release.__wrapped__() != one) == counts


# --- Built once -------------------------------------------------------------------


def test_cached_called_by_twenty_threads_at_once_builds_once(build):
    build.go_on.clear()
    threading.Thread(target=release_after_all_ask, args=(build,)).start()

    outcomes = together([lambda: get(build)] * 20)

    assert outcomes == [1] * 20


def release_after_all_ask(build: Builder) -> None:
    """Let the builder finish once others have waited for it for a while."""
    build.begun.wait(LONG_S)
    threading.Event().wait(0.3)
    build.go_on.set()


def test_cached_that_expired_is_shown_while_one_thread_rebuilds_it(build):
    get(build)
    expire("lamps")
    build.begun.clear()
    build.go_on.clear()
    first = threading.Thread(target=get, args=(build,))
    first.start()
    assert build.begun.wait(LONG_S)

    meanwhile = get(build)
    build.go_on.set()
    first.join(LONG_S)

    assert meanwhile == 1
    assert get(build) == 2


def test_cached_when_the_builder_died_is_built_by_the_waiting_thread(
    build, monkeypatch
):
    monkeypatch.setattr(caching, "WAIT_S", 0.1)
    cache.add(caching._lock_key("lamps"), 1, 60)

    assert get(build) == 1


# --- The race ---------------------------------------------------------------------


def test_cached_built_while_a_change_commits_is_not_shown_after_it(build):
    """The builder reads the old state; then a change is committed and touches the
    generation; then the builder finishes. Its value must not be shown any more."""
    build.go_on.clear()
    shown = []
    old = threading.Thread(target=lambda: shown.append(get(build)))
    old.start()
    assert build.begun.wait(LONG_S)

    touch(["lamp"])
    build.go_on.set()
    old.join(LONG_S)

    assert shown == [1]
    assert get(build) == 2


def test_cached_built_while_a_change_commits_is_shown_if_generations_are_read_late(
    build, monkeypatch
):
    """The positive control of the test above: it fails unless generations are read
    before the value is built."""
    real = caching.Entry

    def late(value, generations, expires_at):
        return real(value, caching.look_up("lamps", ["lamp"])[1], expires_at)

    monkeypatch.setattr(caching, "Entry", late)
    build.go_on.clear()
    old = threading.Thread(target=get, args=(build,))
    old.start()
    assert build.begun.wait(LONG_S)

    touch(["lamp"])
    build.go_on.set()
    old.join(LONG_S)
    monkeypatch.undo()
    caching.settings.CATALOGUE_MAX_AGE_S = 60

    assert caching.look_up("lamps", ["lamp"])[0].generations == (
        caching.look_up("lamps", ["lamp"])[1]
    )


# --- Pieces -----------------------------------------------------------------------


def test_cached_pieces_builds_those_that_are_missing():
    made = []

    def make(name: str) -> str:
        made.append(name)
        return name.upper()

    caching.cached_pieces(["a", "b"], make, 60)
    pieces = caching.cached_pieces(["a", "b", "c"], make, 60)

    assert pieces == {"a": "A", "b": "B", "c": "C"}
    assert made == ["a", "b", "c"]


# --- Bypassing the cache ----------------------------------------------------------


def through_the_middleware(user, rf, build) -> int:
    request = rf.get("/")
    request.user = user
    shown = []

    def page(request):
        shown.append(get(build))
        return HttpResponse()

    caching.fresh_for_staff(page)(request)
    return shown[0]


def test_staff_bypass_the_cache(build, rf):
    get(build)

    assert through_the_middleware(make_user(is_staff=True), rf, build) == 2
    assert get(build) == 1  # others still get the cached value


@pytest.mark.parametrize("make", [AnonymousUser, make_user])
def test_other_visitors_get_the_cached_value(build, rf, make):
    get(build)

    assert through_the_middleware(make(), rf, build) == 1


# --- For caches elsewhere ---------------------------------------------------------


def test_read_generations_returns_their_current_values():
    before = caching.read_generations(["lamp", "jug"])

    touch(["lamp"])

    after = caching.read_generations(["lamp", "jug"])
    assert before["lamp"] != after["lamp"]
    assert before["jug"] == after["jug"] == caching.UNTOUCHED
