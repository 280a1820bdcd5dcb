"""The models of users, sessions and addresses."""

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.support.factories import make_address, make_shopper, make_user
from users import tasks
from users.models import Address, Session, User

pytestmark = pytest.mark.django_db


def test_user_model_is_the_shops_own():
    assert get_user_model() is User


def test_user_with_an_email_of_another_is_refused_by_the_database():
    make_user(email="anna@example.com")

    with pytest.raises(IntegrityError), transaction.atomic():
        make_user(email="anna@example.com")


def test_user_email_is_stored_in_lower_case():
    anna = make_user(email="Anna@Example.COM")

    anna.refresh_from_db()
    assert anna.email == "anna@example.com"


def test_user_with_an_email_of_another_in_other_case_is_refused_by_the_database():
    make_user(email="anna@example.com")
    ben = make_user()

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=ben.pk).update(email="ANNA@example.com")


@pytest.mark.parametrize("verified", [True, False])
def test_user_is_verified_by_the_present_address(verified):
    assert make_shopper(verified=verified).is_verified is verified


def test_user_is_not_verified_by_a_former_address():
    anna = make_shopper()
    anna.email = "new@example.com"

    assert not anna.is_verified


def test_user_short_name_is_the_first_name_or_the_user_name():
    assert make_user(username="anna").get_short_name() == "anna"
    assert make_user(first_name="Anna").get_short_name() == "Anna"


def test_address_that_is_a_second_default_is_refused_by_the_database():
    anna = make_user()
    make_address(anna)
    second = make_address(anna)

    with pytest.raises(IntegrityError), transaction.atomic():
        Address.objects.filter(pk=second.pk).update(is_default=True)


def test_clear_sessions_deletes_expired_sessions():
    now = timezone.now()
    hour = timezone.timedelta(hours=1)
    Session.objects.create(session_key="old", expire_date=now - hour)
    Session.objects.create(session_key="new", expire_date=now + hour)

    tasks.clear_sessions()

    assert [session.pk for session in Session.objects.all()] == ["new"]
