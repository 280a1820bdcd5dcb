"""Changes of the email address: a new one replaces it once it is verified."""

import re

import pytest
from allauth.account.models import EmailAddress

from tests.support.factories import make_shopper
from users.models import User

pytestmark = pytest.mark.django_db

EMAIL = "/users/email/"


@pytest.fixture
def sign_in(client_of):
    """Return a browser whose user has just signed in with a password."""

    def browser(user):
        client = client_of(user)
        client.post("/users/reauthenticate/", {"password": "password"})
        return client

    return browser


def ask(client, email="new@example.com"):
    return client.post(EMAIL, {"email": email, "action_add": ""})


def addresses(user) -> dict[str, bool]:
    return dict(EmailAddress.objects.filter(user=user).values_list("email", "verified"))


def test_new_address_replaces_the_old_one_when_its_link_is_followed(
    sign_in, mailoutbox
):
    anna = make_shopper(email="old@example.com")
    client = sign_in(anna)

    page = client.get(ask(client).url)

    anna = User.objects.get()
    assert page.text.count("We’ve emailed new@example.com") == 1
    assert (anna.email, anna.is_verified) == ("old@example.com", True)
    mail, notice = mailoutbox
    assert mail.to == ["new@example.com"]
    assert notice.to == ["old@example.com"]
    assert "from old@example.com to new@example.com" in notice.body

    client.post(re.search(r"/users/confirm-email/\w+/", mail.body)[0])

    anna = User.objects.get()
    assert (anna.email, anna.is_verified) == ("new@example.com", True)
    assert addresses(anna) == {"new@example.com": True}
    changed = mailoutbox[2]
    assert changed.to == ["old@example.com"]
    assert "was changed from old@example.com to new@example.com" in changed.body


def test_new_address_asks_for_the_password_first(client_of, mailoutbox):
    client = client_of(make_shopper())

    response = ask(client)

    assert response.url.startswith("/users/reauthenticate/")
    assert mailoutbox == []


def test_new_address_of_an_unverified_person_keeps_the_old_one_meanwhile(
    sign_in, mailoutbox
):
    """allauth would leave the person without an address, which must be unique."""
    people = [make_shopper(verified=False) for _ in range(2)]

    for n, person in enumerate(people):
        ask(sign_in(person), f"new{n}@example.com")

    for n, person in enumerate(people):
        before = person.email
        person.refresh_from_db()
        assert person.email == before
        assert addresses(person) == {before: False, f"new{n}@example.com": False}


def test_new_address_requested_again_replaces_the_pending_one(sign_in, mailoutbox):
    anna = make_shopper()
    client = sign_in(anna)

    ask(client, "first@example.com")
    ask(client, "second@example.com")

    assert addresses(anna) == {anna.email: True, "second@example.com": False}
    first = re.search(r"/users/confirm-email/\w+/", mailoutbox[0].body)[0]
    assert client.post(first).status_code == 404


def test_new_address_of_another_account_gets_the_same_answer(sign_in, mailoutbox):
    anna, ben = make_shopper(), make_shopper()
    client = sign_in(anna)

    page = client.get(ask(client, ben.email).url)

    assert f"We’ve emailed {ben.email}" in page.text
    link = re.search(r"/users/confirm-email/\w+/", mailoutbox[0].body)[0]
    assert client.post(link).status_code == 409
    ben.refresh_from_db()
    assert ben.is_verified


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize("which", ["present", "wished"])
def test_addresses_cannot_be_swapped_without_a_link(sign_in, verified, which):
    anna = make_shopper(verified=verified)
    client, before = sign_in(anna), anna.email
    ask(client)
    email = before if which == "present" else "new@example.com"

    client.post(EMAIL, {"email": email, "action_primary": ""})

    anna.refresh_from_db()
    assert anna.email == before


@pytest.mark.parametrize("verified", [True, False])
def test_present_address_cannot_be_removed(sign_in, verified):
    anna = make_shopper(verified=verified)
    client = sign_in(anna)

    client.post(EMAIL, {"email": anna.email, "action_remove": ""})

    assert User.objects.get().email == anna.email
    assert addresses(anna) == {anna.email: verified}


def test_new_address_can_be_withdrawn(sign_in):
    anna = make_shopper()
    client = sign_in(anna)
    ask(client)

    client.post(EMAIL, {"email": "new@example.com", "action_remove": ""})

    assert addresses(anna) == {anna.email: True}


def test_link_to_the_new_address_can_be_sent_again(sign_in, mailoutbox):
    client = sign_in(make_shopper())
    ask(client)

    client.post(EMAIL, {"email": "new@example.com", "action_send": ""})

    page = client.get(EMAIL)
    assert "A link is on its way" in page.text
    sent = [mail.to for mail in mailoutbox]
    assert sent.count(["new@example.com"]) == 1  # a moment ago: there is a limit


@pytest.mark.parametrize(
    "email",
    ["", "anna", "x" * 300 + "@example.com", '"x,victim@example.org,y"@example.com'],
)
def test_new_address_with_an_error_shows_it(sign_in, email):
    anna = make_shopper()

    page = ask(sign_in(anna), email)

    assert "email" in page.context["form"].errors
    assert addresses(anna) == {anna.email: True}
