"""People."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.factories import make_user
from users import tasks
from users.models import User

pytestmark = pytest.mark.django_db


def test_user_model_is_the_shops_own():
    assert get_user_model() is User


def test_user_with_an_email_that_someone_has_is_refused_by_the_table():
    make_user(email="anna@example.com")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_user(email="anna@example.com")


def test_clear_sessions_deletes_those_that_have_expired():
    now = timezone.now()
    hour = timezone.timedelta(hours=1)
    Session.objects.create(session_key="old", expire_date=now - hour)
    Session.objects.create(session_key="new", expire_date=now + hour)

    tasks.clear_sessions()

    assert [session.pk for session in Session.objects.all()] == ["new"]
