"""Recovery: a new password undoes what an intruder has prepared."""

import re
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client

from tests.support.factories import make_address, make_shopper
from users import notices
from users.models import Session, User

pytestmark = pytest.mark.django_db

EMAIL, PROFILE = "/users/email/", "/users/profile/"
CHANGE, SET = "/users/password/change/", "/users/password/set/"
RESET, WAYS_IN = "/users/password/reset/", "/users/ways-in/"
NEW = {"password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"}
THIEF = "thief@evil.example"


def confirmed(client: Client) -> Client:
    """After the person has given their password once more."""
    client.post("/users/reauthenticate/", {"password": "password"})
    return client


def link_in(message, kind: str = "confirm-email/") -> str:
    return re.search(rf"/users/{kind}\S+?/(?=\s)", message.body)[0]


@pytest.fixture
def ask_for_change(client_of) -> Callable[[User], str]:
    """A thief with the password asks to change the address; the link in their mail."""

    def ask(user: User) -> str:
        thief = confirmed(client_of(user))
        thief.post(EMAIL, {"email": THIEF, "action_add": ""})
        message = next(each for each in mail.outbox if each.to == [THIEF])
        mail.outbox.clear()
        return link_in(message)

    return ask


# --- Each way to a new password ---------------------------------------------------


def reset_by_mail(user: User) -> Client:
    client = Client()
    client.post(RESET, {"email": user.email})
    form = client.get(link_in(mail.outbox[-1], "password/reset/key/")).url
    mail.outbox.clear()
    assert client.post(form, NEW).status_code == 302
    return client


def change(user: User) -> None:
    client = Client()
    client.force_login(user)
    client.post(CHANGE, NEW | {"oldpassword": "password"})


def set_first(user: User) -> None:
    """As who came by a provider."""
    user.set_unusable_password()
    user.save()
    client = Client()
    client.force_login(user)
    code_page = "/users/reauthenticate/code/"
    client.post(code_page, {"recipient": user.email})
    code = mail.outbox[-1].body.split("\n\n")[1]
    client.post(f"{code_page}confirm/", {"code": code})
    mail.outbox.clear()
    client.post(SET, NEW)


def by_staff(user: User, **form: str) -> None:
    client = Client()
    client.force_login(make_shopper(is_staff=True, is_superuser=True))
    form = form or NEW | {"usable_password": "true"}
    response = client.post(f"/admin/users/user/{user.pk}/password/", form)
    assert response.status_code == 302


def by_staff_to_none(user: User) -> None:
    by_staff(user, usable_password="false", **{"unset-password": "1"})


def by_command(user: User) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda prompt="": NEW["password1"])
        call_command("changepassword", user.username, stdout=StringIO())


def in_a_shell(user: User) -> None:
    user = User.objects.get(pk=user.pk)
    user.set_password(NEW["password1"])
    user.save()


WAYS = [
    reset_by_mail,
    change,
    set_first,
    by_staff,
    by_staff_to_none,
    by_command,
    in_a_shell,
]


@pytest.mark.parametrize("renew", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("verified", [True, False], ids=["verified", "unverified"])
def test_new_password_withdraws_a_change_of_address_and_its_link(
    ask_for_change, renew, verified
):
    if renew is set_first and not verified:
        return  # nobody gets in by a provider with an address that is not verified
    anna = make_shopper(email="anna@example.com", verified=verified)
    link = ask_for_change(anna)

    renew(anna)

    assert set(anna.emailaddress_set.values_list("email", flat=True)) == {anna.email}
    assert Client().post(link).status_code == 404
    anna.refresh_from_db()
    assert anna.email == "anna@example.com"
    assert not anna.check_password("password")


@pytest.mark.parametrize("renew", WAYS, ids=lambda way: way.__name__)
def test_new_password_ends_the_sessions_of_others(client_of, renew):
    anna = make_shopper()
    thief = client_of(anna)
    key = thief.session.session_key

    renew(anna)

    assert thief.get(PROFILE).status_code == 302
    assert not Session.objects.filter(pk=key).exists()
    assert not anna.usersession_set.filter(session_key=key).exists()


@pytest.mark.parametrize("renew", WAYS, ids=lambda way: way.__name__)
def test_new_password_is_confirmed_by_mail_with_the_other_ways_in(renew):
    anna = make_shopper()
    SocialAccount.objects.create(user=anna, provider="github", uid="1")
    Authenticator.objects.create(
        user=anna, type=Authenticator.Type.WEBAUTHN, data={"name": "Thief’s key"}
    )

    renew(anna)

    (notice,) = [each for each in mail.outbox if each.to == [anna.email]]
    assert "Passkey “Thief’s key”" in notice.body
    assert "github" in notice.body.lower()
    assert f"http://localhost:8000{WAYS_IN}" in notice.body


# --- Sign-ins that are under way --------------------------------------------------


def code_for(secret: str) -> str:
    return f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06}"


def test_sign_in_that_waits_for_its_second_factor_does_not_outlive_the_password():
    anna, secret = make_shopper(), generate_totp_secret()
    TOTP.activate(anna, secret)
    thief = Client()
    form = {"login": anna.username, "password": "password"}
    assert thief.post("/users/login/", form).url == "/users/2fa/authenticate/"
    reset_by_mail(anna)

    response = thief.post("/users/2fa/authenticate/", {"code": code_for(secret)})

    assert response.url == "/users/login/"
    assert "_auth_user_id" not in thief.session
    assert "Your password has changed" in thief.get("/users/login/").text


def test_sign_in_that_waits_for_its_second_factor_goes_on_with_the_same_password():
    """The control."""
    anna, secret = make_shopper(), generate_totp_secret()
    TOTP.activate(anna, secret)
    client = Client()
    client.post("/users/login/", {"login": anna.username, "password": "password"})

    client.post("/users/2fa/authenticate/", {"code": code_for(secret)})

    assert client.session["_auth_user_id"] == str(anna.pk)


def test_sign_up_that_waits_for_its_link_does_not_outlive_the_password():
    thief = Client()
    thief.post("/users/signup/", {"email": "anna@example.com"} | NEW)
    link = link_in(mail.outbox[0])
    anna = User.objects.get()
    anna.set_password("another-long-phrase")
    anna.save()

    thief.post(link)

    assert "_auth_user_id" not in thief.session


# --- Requests that are under way --------------------------------------------------


@pytest.fixture
def password_changes_meanwhile(monkeypatch) -> Callable[[User], None]:
    """Set a new password after the request has loaded its user, and before it writes.

    The request sees the new password once it holds the account's lock.
    """
    from users import sessions

    def arrange(user: User) -> None:
        lock_account = sessions.lock_account

        def late(request) -> bool:
            in_a_shell(user)
            return lock_account(request)

        monkeypatch.setattr(sessions, "lock_account", late)

    return arrange


@pytest.mark.parametrize(
    "path, form",
    [
        (EMAIL, {"email": THIEF, "action_add": ""}),
        ("/users/2fa/recovery-codes/generate/", {}),
        (CHANGE, {"oldpassword": "password", **NEW}),
    ],
)
def test_form_sent_before_a_new_password_writes_nothing_after_it(
    client_of, password_changes_meanwhile, path, form
):
    anna = make_shopper()
    TOTP.activate(anna, generate_totp_secret())
    thief = Client()
    thief.force_login(anna)
    confirmed(thief)
    password_changes_meanwhile(anna)

    response = thief.post(path, form)

    assert response.url.startswith("/users/login/")
    assert not EmailAddress.objects.filter(email=THIEF).exists()
    assert Authenticator.objects.count() == 1


def test_reset_link_that_became_invalid_during_the_request_sets_nothing(monkeypatch):
    """Somebody changed the address, which the lock had to wait for."""
    anna = make_shopper()
    client = Client()
    client.post(RESET, {"email": anna.email})
    form = client.get(link_in(mail.outbox[-1], "password/reset/key/")).url
    from users.views import passwords

    class Late(type(User.objects)):
        def select_for_update(self, **kwargs):
            User.objects.filter(pk=anna.pk).update(email=THIEF)
            return super().select_for_update(**kwargs)

    late = Late()
    late.model = User
    monkeypatch.setattr(passwords.User, "objects", late)

    response = client.post(form, NEW)

    assert response.status_code == 200 and response.context["token_fail"]
    assert User._base_manager.get(pk=anna.pk).check_password("password")


# --- An account that a stranger made with the address of somebody else ------------


def test_reset_by_mail_deletes_what_a_stranger_left_in_an_unverified_account():
    anna = make_shopper(verified=False)
    SocialAccount.objects.create(user=anna, provider="github", uid="1")
    TOTP.activate(anna, generate_totp_secret())
    RecoveryCodes.activate(anna)
    make_address(anna)

    reset_by_mail(anna)

    assert not SocialAccount.objects.exists()
    assert not Authenticator.objects.exists()
    assert not anna.addresses.exists()


def test_reset_by_mail_keeps_what_the_owner_of_a_verified_account_has():
    anna = make_shopper()
    SocialAccount.objects.create(user=anna, provider="github", uid="1")
    TOTP.activate(anna, generate_totp_secret())
    make_address(anna)

    reset_by_mail(anna)

    assert SocialAccount.objects.exists() and Authenticator.objects.exists()
    assert anna.addresses.exists()


# --- What the owner is told -------------------------------------------------------


def test_page_after_a_reset_lists_the_other_ways_in_and_leads_to_their_removal():
    anna = make_shopper()
    SocialAccount.objects.create(user=anna, provider="github", uid="1")
    TOTP.activate(anna, generate_totp_secret())

    page = reset_by_mail(anna).get("/users/password/reset/key/done/")

    assert "Authenticator app" in page.text
    assert "Connected github account" in page.text
    assert f"/users/login/?next={WAYS_IN}" in page.text


def test_page_after_a_reset_lists_nothing_to_others_nor_after_the_next_password():
    anna = make_shopper()
    TOTP.activate(anna, generate_totp_secret())
    client = reset_by_mail(anna)
    in_a_shell(anna)

    for visitor in (client, Client()):
        page = visitor.get("/users/password/reset/key/done/")
        assert page.context["ways_in"] == []


@pytest.fixture
def anna(client) -> Iterator[User]:
    """Signed in; a passkey, an app with codes and an account elsewhere let her in."""
    anna = make_shopper()
    TOTP.activate(anna, generate_totp_secret())
    RecoveryCodes.activate(anna)
    Authenticator.objects.create(
        user=anna, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop"}
    )
    SocialAccount.objects.create(user=anna, provider="github", uid="1")
    client.force_login(anna)
    yield confirmed(client) and anna


def test_ways_in_lists_each_with_a_way_to_remove_it(client, anna):
    make_other = SocialAccount.objects.create
    make_other(user=make_shopper(), provider="google", uid="1")

    page = client.get(WAYS_IN)

    names = [way.name for way in page.context["ways_in"]]
    assert sorted(names) == [
        "Authenticator app",
        "Connected github account",
        "Passkey “Laptop”",
        "Recovery codes",
    ]
    for way in page.context["ways_in"]:
        if way.account is None:
            assert f'href="{way.page}"' in page.text
            assert client.get(way.page).status_code == 200


def test_connected_account_of_a_provider_no_longer_offered_can_be_removed(client, anna):
    account = SocialAccount.objects.get()

    response = client.post(f"{WAYS_IN}{account.pk}/disconnect/", follow=True)

    assert not SocialAccount.objects.exists()
    assert "Connected github" not in response.text


def test_connected_account_that_is_the_only_way_in_stays(client):
    anna = make_shopper()
    anna.set_unusable_password()
    anna.save()
    account = SocialAccount.objects.create(user=anna, provider="github", uid="1")
    client.force_login(anna)
    code_page = "/users/reauthenticate/code/"
    client.post(code_page, {"recipient": anna.email})
    code = mail.outbox[-1].body.split("\n\n")[1]
    client.post(f"{code_page}confirm/", {"code": code})

    response = client.post(f"{WAYS_IN}{account.pk}/disconnect/", follow=True)

    assert "only way to sign in" in response.text
    assert SocialAccount.objects.exists()


def test_connected_account_of_somebody_else_is_not_found(client, anna):
    other = SocialAccount.objects.create(user=make_shopper(), provider="x", uid="1")

    assert client.post(f"{WAYS_IN}{other.pk}/disconnect/").status_code == 404
    assert SocialAccount.objects.filter(pk=other.pk).exists()


def test_connected_account_stays_if_a_new_password_ends_the_session_meanwhile(
    client_of, password_changes_meanwhile
):
    anna = make_shopper()
    account = SocialAccount.objects.create(user=anna, provider="github", uid="1")
    thief = Client()
    thief.force_login(anna)
    confirmed(thief)
    password_changes_meanwhile(anna)

    response = thief.post(f"{WAYS_IN}{account.pk}/disconnect/")

    assert response.url.startswith("/users/login/")
    assert SocialAccount.objects.exists()


def test_connected_account_is_not_removed_without_recent_authentication():
    anna, client = make_shopper(), Client()
    account = SocialAccount.objects.create(user=anna, provider="github", uid="1")
    client.force_login(anna)

    response = client.post(f"{WAYS_IN}{account.pk}/disconnect/")

    assert response.url.startswith("/users/reauthenticate/")
    assert SocialAccount.objects.exists()


# --- A change is its owner's, signed in -------------------------------------------


def test_change_of_address_is_confirmed_only_signed_in_as_that_person(
    client, ask_for_change
):
    anna = make_shopper(email="anna@example.com")
    link = ask_for_change(anna)

    for visit in (client.get, client.post):
        page = visit(link)
        assert page.status_code == 403
        assert f"/users/login/?next={link}" in page.text
        assert "anna@example.com" not in page.text  # it is a stranger who reads this
    anna.refresh_from_db()
    assert anna.email == "anna@example.com"

    client.force_login(anna)
    assert client.get(link).status_code == 200
    client.post(link)
    anna.refresh_from_db()
    assert anna.email == THIEF


def test_change_of_address_notifies_an_old_address_without_a_row(client):
    """As of accounts that a command made."""
    anna = make_shopper(email="anna@example.com")
    EmailAddress.objects.all().delete()
    confirmed_client = Client()
    confirmed_client.force_login(anna)
    confirmed(confirmed_client).post(EMAIL, {"email": THIEF, "action_add": ""})
    recipients = [each.to for each in mail.outbox]
    link = link_in(next(each for each in mail.outbox if each.to == [THIEF]))
    mail.outbox.clear()

    confirmed_client.post(link)

    assert ["anna@example.com"] in recipients
    assert [each.to for each in mail.outbox].count(["anna@example.com"]) == 1
    assert "was changed from anna@example.com" in mail.outbox[0].body


@pytest.mark.parametrize("signed_in", [False, True])
def test_link_of_somebody_elses_change_is_not_renewed(
    client, ask_for_change, signed_in
):
    anna = make_shopper()
    ask_for_change(anna)
    EmailConfirmation.objects.update(sent="2020-01-01T00:00Z")
    cache.clear()  # the limit on mails to one address is not what refuses
    if signed_in:
        client.force_login(make_shopper(verified=False))

    client.post("/users/confirm-email/", {"email": THIEF})

    assert EmailConfirmation.objects.filter(email_address__email=THIEF).count() == 1
    assert THIEF not in [to for each in mail.outbox for to in each.to]


def test_first_password_of_a_new_person_sends_no_notice():
    make_shopper()

    assert mail.outbox == []


def test_notices_go_to_the_accounts_own_address_whatever_row_is_primary():
    anna = make_shopper(email="anna@example.com")
    EmailAddress.objects.filter(user=anna).update(primary=False)
    EmailAddress.objects.create(user=anna, email=THIEF, primary=True)

    notices.by_staff(anna, "mfa/email/totp_activated")

    assert [each.to for each in mail.outbox] == [["anna@example.com"]]


def test_notices_of_allauth_go_to_the_accounts_own_address(rf):
    anna = make_shopper(email="anna@example.com")
    EmailAddress.objects.filter(user=anna).update(primary=False)
    EmailAddress.objects.create(user=anna, email=THIEF, primary=True)

    with context.request_context(rf.get("/")):
        get_adapter().send_notification_mail("mfa/email/totp_activated", anna)

    assert [each.to for each in mail.outbox] == [["anna@example.com"]]
