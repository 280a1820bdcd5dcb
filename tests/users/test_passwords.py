"""Changing, setting and resetting passwords."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.factories import make_shopper, make_user
from users.adapters import AccountAdapter
from users.models import Session, User

pytestmark = pytest.mark.django_db

CODE = "/users/reauthenticate/code/"
CHANGE, SET = "/users/password/change/", "/users/password/set/"
RESET, RESET_DONE = "/users/password/reset/", "/users/password/reset/done/"
PROFILE = "/users/profile/"
NEW = {"password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"}


def change(client, **data):
    return client.post(CHANGE, NEW | {"oldpassword": "password"} | data)


def is_in(client) -> bool:
    return client.get(PROFILE).status_code == 200


# --- Change -----------------------------------------------------------------------


def test_change_of_password_keeps_this_session_and_ends_the_others(client_of):
    anna, ben = make_shopper(), make_shopper()
    here, there, bens = client_of(anna), client_of(anna), client_of(ben)

    response = change(here)

    anna.refresh_from_db()
    assert response.url == PROFILE
    assert anna.check_password(NEW["password1"])
    assert is_in(here) and is_in(bens) and not is_in(there)
    mine = UserSession.objects.get(user=anna)
    assert mine.session_key == here.session.session_key
    remaining = {here.session.session_key, bens.session.session_key}
    assert set(Session.objects.values_list("pk", flat=True)) & remaining == remaining
    assert not Session.objects.filter(pk=there.cookies["sessionid"].value).exists()


def test_change_of_password_works_for_an_address_that_gets_no_mail(client_of, settings):
    settings.EMAIL_BACKEND = "project.mail.outbox.OutboxBackend"
    anna = make_shopper()
    client = client_of(anna)
    User.objects.filter(pk=anna.pk).update(email="a..b@example.com")

    response = change(client)

    assert response.status_code == 302
    anna.refresh_from_db()
    assert not anna.check_password("password")


def test_change_of_password_is_confirmed_by_mail_and_once_on_the_page(
    client_of, mailoutbox
):
    client = client_of(make_shopper(email="anna@example.com"))

    page = client.get(change(client).url)

    assert page.text.count("Password successfully changed.") == 1
    assert [mail.to for mail in mailoutbox] == [["anna@example.com"]]


@pytest.mark.parametrize(
    "data, field",
    [
        ({"oldpassword": "wrong"}, "oldpassword"),
        ({"password2": "another-pass-phrase"}, "password2"),
        ({"password1": "short", "password2": "short"}, "password1"),
    ],
)
def test_change_of_password_with_an_error_changes_nothing(
    client_of, mailoutbox, data, field
):
    anna = make_shopper()
    client, there = client_of(anna), client_of(anna)

    response = change(client, **data)

    anna.refresh_from_db()
    assert field in response.context["form"].errors
    assert anna.check_password("password")
    assert is_in(there)
    assert mailoutbox == []


def test_change_of_password_writes_nothing_but_the_password(client_of):
    """A name that another tab saves while the password is hashed is not undone."""
    anna = make_shopper(first_name="Anna")
    client = client_of(anna)

    with CaptureQueriesContext(connection) as queries:
        change(client)

    update = 'UPDATE "users_user"'
    (write,) = [q["sql"] for q in queries if q["sql"].startswith(update)]
    assert "first_name" not in write


# --- Set --------------------------------------------------------------------------


def test_set_password_of_a_providers_user_ends_other_sessions(
    client, client_of, mailoutbox
):
    anna = make_shopper()
    there = client_of(anna)
    anna.set_unusable_password()
    anna.save()
    client.force_login(anna)
    assert client.get(CHANGE).url == SET
    client.post(CODE, {"recipient": anna.email})
    (mail,) = mailoutbox
    client.post(f"{CODE}confirm/", {"code": mail.body.split("\n\n")[1]})

    response = client.post(SET, NEW)

    anna.refresh_from_db()
    assert response.url == PROFILE
    assert anna.check_password(NEW["password1"])
    assert is_in(client) and not is_in(there)
    assert UserSession.objects.get().session_key == client.session.session_key
    assert len(mailoutbox) == 2


# --- Forgotten --------------------------------------------------------------------


def ask(client, email):
    return client.post(RESET, {"email": email}, follow=True)


def link_in(mail) -> str:
    return re.search(r"/users/password/reset/key/[\w-]+/", mail.body)[0]


def open_link(client, mail):
    return client.get(link_in(mail), follow=True)


def test_reset_sets_the_password_and_ends_every_session(client_of, mailoutbox):
    anna, ben = make_shopper(), make_shopper()
    there, bens, client = client_of(anna), client_of(ben), client_of()
    ask(client, anna.email.upper())
    page = open_link(client, mailoutbox[0])

    response = client.post(page.request["PATH_INFO"], NEW)

    anna.refresh_from_db()
    assert response.url == "/users/password/reset/key/done/"
    assert anna.check_password(NEW["password1"])
    assert not is_in(there) and is_in(bens)
    assert not UserSession.objects.filter(user=anna).exists()
    assert mailoutbox[1].to == [anna.email]


def test_reset_in_a_browser_that_is_signed_in_signs_out_here_too(client_of, mailoutbox):
    anna = make_shopper()
    client = client_of(anna)
    ask(client, anna.email)
    page = open_link(client, mailoutbox[0])

    client.post(page.request["PATH_INFO"], NEW)

    assert not is_in(client)


def test_reset_link_works_once(client, client_of, mailoutbox):
    ask(client, make_shopper().email)
    page = open_link(client, mailoutbox[0])
    client.post(page.request["PATH_INFO"], NEW)

    assert open_link(client_of(), mailoutbox[0]).context["token_fail"]


def test_reset_gives_the_same_answer_whether_the_address_is_known_or_not(
    client_of, mailoutbox
):
    known, gone = make_shopper(), make_shopper(is_active=False)

    pages = [
        ask(client_of(), email)
        for email in (known.email, gone.email, "nobody@example.com")
    ]

    assert {page.redirect_chain[0] for page in pages} == {(RESET_DONE, 302)}
    assert len({re.sub(r'value="\w{64}"', "", page.text) for page in pages}) == 1
    assert [mail.to for mail in mailoutbox] == [[known.email]]


def test_reset_writes_a_mail_for_an_unknown_address_too(
    client, mailoutbox, monkeypatch
):
    """It takes the time, and nobody gets it."""
    written = []
    write = AccountAdapter.write_mail

    def watched(self, prefix, email, context):
        written.append((prefix, email))
        return write(self, prefix, email, context)

    monkeypatch.setattr(AccountAdapter, "write_mail", watched)

    ask(client, "nobody@example.com")

    assert written == [("account/email/password_reset_key", "nobody@example.com")]
    assert mailoutbox == []


def test_reset_sends_no_link_to_a_pending_new_address(client, mailoutbox):
    """Its owner could take the account."""
    anna = make_shopper()
    EmailAddress.objects.create(user=anna, email="typo@example.com")

    ask(client, "typo@example.com")

    assert mailoutbox == []


def test_reset_link_is_the_shops_whatever_host_was_asked(client, mailoutbox, settings):
    settings.DOMAIN_NAME = "https://shop.example"
    settings.ALLOWED_HOSTS = ["*"]

    client.post(
        RESET, {"email": make_shopper().email}, headers={"host": "evil.example"}
    )

    (mail,) = mailoutbox
    html = "".join(str(part.content) for part in mail.alternatives)
    assert f"https://shop.example{link_in(mail)}" in mail.body
    assert "evil.example" not in mail.body + mail.subject + html


def test_reauthentication_asks_for_the_password(client):
    client.force_login(make_user())

    page = client.get("/users/reauthenticate/?next=/users/email/")
    wrong = client.post("/users/reauthenticate/", {"password": "wrong"})
    right = client.post(
        "/users/reauthenticate/", {"password": "password", "next": "/users/email/"}
    )

    assert "<title>Confirm it’s you ·" in page.text
    assert "password" in wrong.context["form"].errors
    assert right.url == "/users/email/"


def test_reauthentication_of_someone_with_a_password_offers_no_code_by_mail(client):
    """The mailbox would become a second password."""
    client.force_login(make_shopper())

    page = client.get("/users/reauthenticate/")
    response = client.get(CODE)

    assert page.context["reauthentication_alternatives"] == []
    assert response.url == "/users/reauthenticate/"
