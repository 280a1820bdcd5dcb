"""Sessions: copies in the cache that never outlive what they are copies of."""

import pytest
from django.core.cache import cache
from django.db import transaction

from project.sessions import SessionStore
from tests.support.factories import make_user
from users.models import Session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def key() -> str:
    """Of a session that says {"lamp": 1} and of which there is no copy."""
    session = SessionStore()
    session["lamp"] = 1
    session.save()
    cache.delete(session.cache_key)
    return session.session_key


def read(key: str) -> dict:
    return dict(SessionStore(key).items())


def test_session_read_twice_is_asked_of_the_database_once(
    key, django_assert_num_queries
):
    read(key)

    with django_assert_num_queries(0):
        assert read(key) == {"lamp": 1}


def test_session_saved_is_read_as_it_is_now(key, django_assert_num_queries):
    session = SessionStore(key)
    session["lamp"] = 2
    session.save()

    with django_assert_num_queries(0):
        assert read(key) == {"lamp": 2}


def test_copy_is_kept_for_a_minute_at_most(key):
    read(key)

    assert 0 < cache.ttl(SessionStore(key).cache_key) <= 60


def test_session_flushed_is_gone(key):
    read(key)

    SessionStore(key).flush()

    assert read(key) == {}


def test_session_whose_row_was_deleted_is_gone(key):
    read(key)

    Session.objects.filter(pk=key).delete()

    assert read(key) == {}


def test_session_that_was_read_before_its_end_committed_is_gone_after_it(key):
    """A reader between the DELETE and the COMMIT must not bring it back."""
    with transaction.atomic():
        SessionStore(key).delete()
        cache.set(SessionStore(key).cache_key, {"lamp": 1}, 60)  # another's copy

    assert read(key) == {}


def ended_meanwhile(monkeypatch, change) -> None:
    """`change()` happens after the row was read and before it is copied."""
    real = SessionStore._copy

    def late(self, row):
        change()
        real(self, row)

    monkeypatch.setattr(SessionStore, "_copy", late)


def test_session_that_ends_while_it_is_read_leaves_no_copy(key, monkeypatch):
    ended_meanwhile(monkeypatch, SessionStore(key).delete)

    read(key)
    monkeypatch.undo()

    assert read(key) == {}


def test_session_that_is_saved_while_it_is_read_is_read_as_saved(key, monkeypatch):
    newer = SessionStore(key)
    newer["lamp"] = 2
    cache.delete(newer.cache_key)
    ended_meanwhile(monkeypatch, newer.save)

    read(key)
    monkeypatch.undo()

    assert read(key) == {"lamp": 2}


def test_session_without_redis_is_read_from_the_database(key, settings, tmp_path):
    away = {"LOCATION": f"unix://{tmp_path}/nowhere?db=0"}
    settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | away}

    session = SessionStore(key)
    session["jug"] = 2
    session.save()

    assert read(key) == {"lamp": 1, "jug": 2}


# --- Whose it is ------------------------------------------------------------------


def test_session_row_says_whose_it_is_from_sign_in_to_sign_out(client):
    anna = make_user()

    client.force_login(anna)
    row = Session.objects.get()
    client.logout()
    client.get("/basket/")

    assert row.user == anna
    assert not Session.objects.filter(user=anna).exists()


def test_session_of_an_account_that_is_gone_can_still_be_saved(client):
    """A page that was under way meanwhile does so."""
    client.force_login(anna := make_user())
    session = SessionStore(client.session.session_key)
    session.load()
    anna.delete()

    session["lamp"] = 1
    session.save()

    assert read(session.session_key)["lamp"] == 1
