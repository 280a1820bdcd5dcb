"""People in the admin."""

import pytest
from django.urls import reverse

from tests.factories import make_user
from users.models import User

pytestmark = pytest.mark.django_db

ADD = "/admin/users/user/add/"


def new_person(**changes) -> dict:
    password = {"password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"}
    data = {"username": "ben", "email": "ben@example.com", "usable_password": "true"}
    return data | password | changes


@pytest.fixture(autouse=True)
def boss(client):
    client.force_login(make_user(is_staff=True, is_superuser=True))


def test_person_added_has_an_email_address(client):
    client.post(ADD, new_person())

    ben = User.objects.get(username="ben")
    assert ben.email == "ben@example.com"
    assert ben.check_password("a-long-pass-phrase")


@pytest.mark.parametrize(
    "email, told",
    [
        ("", "This field is required."),
        ("anna@example.com", "Someone already uses this e-mail address."),
    ],
)
def test_person_added_without_an_address_of_their_own_is_refused(client, email, told):
    make_user(email="anna@example.com")

    response = client.post(ADD, new_person(email=email))

    assert told in response.text
    assert not User.objects.filter(username="ben").exists()


def test_people_list_opens(client):
    make_user(username="anna")

    assert "anna" in client.get(reverse("admin:users_user_changelist")).text
