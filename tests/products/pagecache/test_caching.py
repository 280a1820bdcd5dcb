"""What is kept, for how long, and who builds it."""

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

LONG_S = 20  # for what happens at once


@pytest.fixture(autouse=True)
def kept(settings):
    settings.CATALOGUE_MAX_AGE_S = 60
    return settings


class Builder:
    """Builds 1, then 2, …; may be held in the middle of it."""

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


def grow_old(name: str, seconds: float = 61) -> None:
    """As if so much time had gone by since it was built."""
    key = caching._value(name)
    value, under, until = cache.get(key)
    cache.set(key, (value, under, until - seconds), 60)


def get(build, name: str = "lamps", generation="lamp") -> int:
    return cached(name, generation, build)


# --- Kept, and no longer than it is right -----------------------------------------


def test_cached_asked_twice_is_built_once(build):
    assert [get(build), get(build)] == [1, 1]


def test_cached_under_another_name_is_another_thing(build):
    assert [get(build, "lamps"), get(build, "jugs")] == [1, 2]


def test_cached_of_a_touched_generation_is_built_anew(build):
    get(build)

    touch(["lamp"])

    assert [get(build), get(build)] == [2, 2]


def test_cached_of_several_generations_is_built_anew_when_one_is_touched(build):
    both = ["lamp", "jug"]
    get(build, generation=both)

    touch(["jug"])

    assert get(build, generation=both) == 2


def test_cached_of_another_generation_stays(build):
    get(build)

    touch(["jug"])

    assert get(build) == 1


def test_cached_past_its_age_is_built_anew(build):
    get(build)

    grow_old("lamps")

    assert get(build) == 2


def test_cached_when_nothing_is_to_be_kept_is_built_each_time(build, kept):
    kept.CATALOGUE_MAX_AGE_S = 0

    assert [get(build), get(build)] == [1, 2]


def test_cached_by_another_release_is_built_anew(build, monkeypatch):
    get(build)

    monkeypatch.setattr(caching, "release", lambda: "another")

    assert get(build) == 2


def test_cached_whose_building_fails_is_not_kept_and_holds_nobody_up(build):
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


def test_cached_asked_by_twenty_at_once_is_built_once(build):
    build.go_on.clear()
    threading.Thread(target=release_after_all_ask, args=(build,)).start()

    outcomes = together([lambda: get(build)] * 20)

    assert outcomes == [1] * 20


def release_after_all_ask(build: Builder) -> None:
    """Let it be finished when others have had to wait for it for a while."""
    build.begun.wait(LONG_S)
    threading.Event().wait(0.3)
    build.go_on.set()


def test_cached_that_grew_old_is_shown_while_one_renews_it(build):
    get(build)
    grow_old("lamps")
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


def test_cached_whose_builder_died_is_built_by_who_waits(build, monkeypatch):
    monkeypatch.setattr(caching, "WAIT_S", 0.1)
    cache.add(caching._lock("lamps"), 1, 60)

    assert get(build) == 1


# --- The race ---------------------------------------------------------------------


def test_cached_built_while_a_change_commits_is_not_shown_after_it(build):
    """The builder has read the old state; the change commits and is told; only then
    the builder is done. What it built must not pass for the new state."""
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
    """The positive control of the test above: this is what reading them first is
    good for."""
    real = caching.Kept

    def late(value, under, until):
        return real(value, caching.look("lamps", ["lamp"])[1], until)

    monkeypatch.setattr(caching, "Kept", late)
    build.go_on.clear()
    old = threading.Thread(target=get, args=(build,))
    old.start()
    assert build.begun.wait(LONG_S)

    touch(["lamp"])
    build.go_on.set()
    old.join(LONG_S)
    monkeypatch.undo()
    caching.settings.CATALOGUE_MAX_AGE_S = 60

    assert caching.look("lamps", ["lamp"])[0].under == (
        caching.look("lamps", ["lamp"])[1]
    )


# --- Pieces -----------------------------------------------------------------------


def test_cached_pieces_are_made_where_they_are_missing():
    made = []

    def make(name: str) -> str:
        made.append(name)
        return name.upper()

    caching.cached_pieces(["a", "b"], make, 60)
    found = caching.cached_pieces(["a", "b", "c"], make, 60)

    assert found == {"a": "A", "b": "B", "c": "C"}
    assert made == ["a", "b", "c"]


# --- Who sees things as they are --------------------------------------------------


def through_the_middleware(user, rf, build) -> int:
    request = rf.get("/")
    request.user = user
    shown = []

    def page(request):
        shown.append(get(build))
        return HttpResponse()

    caching.fresh_for_staff(page)(request)
    return shown[0]


def test_staff_are_shown_nothing_that_was_kept(build, rf):
    get(build)

    assert through_the_middleware(make_user(is_staff=True), rf, build) == 2
    assert get(build) == 1  # the others still are


@pytest.mark.parametrize("make", [AnonymousUser, make_user])
def test_everybody_else_is_shown_what_was_kept(build, rf, make):
    get(build)

    assert through_the_middleware(make(), rf, build) == 1


# --- For who keeps things elsewhere -----------------------------------------------


def test_generations_say_their_values_now():
    before = caching.generations(["lamp", "jug"])

    touch(["lamp"])

    after = caching.generations(["lamp", "jug"])
    assert before["lamp"] != after["lamp"]
    assert before["jug"] == after["jug"] == caching.UNTOUCHED
