"""The Celery tasks of accounts."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.utils import timezone

from tests.support.factories import make_user
from users import tasks
from users.models import Session

pytestmark = pytest.mark.django_db


def days(number: float):
    return timezone.now() - timedelta(days=number)


def make_session(key: str, *, expired: bool = False) -> UserSession:
    expires = days(1 if expired else -1)
    Session.objects.create(session_key=key, session_data="", expire_date=expires)
    return UserSession.objects.create(user=make_user(), session_key=key, ip="::1")


def make_link(key: str, *, sent: float | None, created: float = 0, verified=False):
    user = make_user()
    address = EmailAddress.objects.create(
        user=user, email=user.email, verified=verified, primary=True
    )
    return EmailConfirmation.objects.create(
        email_address=address,
        key=key,
        created=days(created),
        sent=None if sent is None else days(sent),
    )


def test_clear_sessions_deletes_details_of_expired_and_missing_sessions():
    make_session("open")
    make_session("expired", expired=True)
    make_session("gone")
    Session.objects.get(session_key="gone").delete()

    tasks.clear_sessions()

    assert set(Session.objects.values_list("session_key", flat=True)) == {"open"}
    assert set(UserSession.objects.values_list("session_key", flat=True)) == {"open"}


def test_forget_old_links_keeps_recently_expired_links():
    make_link("open", sent=1)
    make_link("ran out", sent=31.9, created=32)
    make_link("old", sent=32.1, created=33)
    make_link("old and used", sent=33, created=33, verified=True)
    make_link("old, never sent", sent=None, created=33)
    make_link("sent late", sent=1, created=33)

    tasks.forget_old_links()

    remaining = set(EmailConfirmation.objects.values_list("key", flat=True))
    assert remaining == {"open", "ran out", "sent late"}


def test_forget_old_links_keeps_the_addresses():
    link = make_link("old", sent=33, created=33)

    tasks.forget_old_links()

    assert EmailAddress.objects.filter(pk=link.email_address_id).exists()


@pytest.mark.parametrize("task", [tasks.clear_sessions, tasks.forget_old_links])
def test_beat_starts_the_task_every_day(task):
    schedule = settings.CELERY_BEAT_SCHEDULE.values()
    (entry,) = (e for e in schedule if e["task"] == task.name)

    assert entry["schedule"] == 60 * 60 * 24
