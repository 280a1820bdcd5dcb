"""People in the admin: what staff see, may do and log."""

import re
from datetime import timedelta
from html import unescape

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from project.sessions import SessionStore
from tests.support.factories import make_basket, make_picture, make_user, make_variant
from users import verification
from users.models import Address, Session, User

pytestmark = pytest.mark.django_db

ADD = "/admin/users/user/add/"
LIST = "/admin/users/user/"
LINKS = "/admin/account/emailconfirmation/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def boss(client):
    """An administrator who has signed in."""
    user = make_user(username="boss", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def clerk(client):
    """Sign in a staff member with all permissions except those of administrators."""

    def sign_in(*codenames: str) -> User:
        user = make_user(username="clerk", is_staff=True)
        chosen = Permission.objects.all()
        if codenames:
            chosen = chosen.filter(codename__in=codenames)
            assert len(chosen) == len(codenames)
        user.user_permissions.set(chosen)
        client.force_login(user)
        return user

    return sign_in


def page(user: User, name: str = "change") -> str:
    return reverse(f"admin:users_user_{name}", args=[user.pk])


def text(response) -> str:
    """Return the text of a page without its tags."""
    html = re.sub(r"<(script|style).*?</\1>", "", response.text, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def new_person(**changes) -> dict:
    password = {"password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"}
    data = {"username": "ben", "email": "ben@example.com", "usable_password": "true"}
    return data | password | changes


def person_form(user: User, **changes) -> dict:
    """Return what the browser sends when staff press Save."""
    data = {name: getattr(user, name) for name in ("username", "email")}
    data |= {name: "" for name in ("first_name", "last_name")}
    data |= {"is_active": "on"} if user.is_active else {}
    data |= {"is_staff": "on"} if user.is_staff else {}
    data |= {"is_superuser": "on"} if user.is_superuser else {}
    return data | changes


def make_person(*, verified: bool = True, **fields) -> User:
    """Create a user with an address, like a sign-up."""
    user = make_user(**fields)
    EmailAddress.objects.create(
        user=user, email=user.email, verified=verified, primary=True
    )
    return user


def make_session(user: User, ip: str = "192.0.2.7", **fields) -> UserSession:
    """Create a session of the user in another browser."""
    store = SessionStore()
    store.create()
    fields = {"ip": ip, "user_agent": FIREFOX} | fields
    return UserSession.objects.create(
        user=user, session_key=store.session_key, **fields
    )


def make_link(address: EmailAddress, key: str, *, hours_ago: float = 1):
    sent = timezone.now() - timedelta(hours=hours_ago)
    return EmailConfirmation.objects.create(
        email_address=address, key=key, created=sent, sent=sent
    )


def history(user: User) -> list[tuple[str, str]]:
    """Return the (user, message) pairs of a person's history in the admin."""
    entries = LogEntry.objects.filter(
        object_id=str(user.pk), content_type__model="user"
    )
    return [(e.user.username, e.get_change_message()) for e in entries]


# --- Adding and changing ----------------------------------------------------------


def test_person_added_has_an_address_that_waits_for_its_verification(client, boss):
    client.post(ADD, new_person(email="Ben@Example.com"))

    ben = User.objects.get(username="ben")
    assert ben.email == "ben@example.com"
    assert ben.check_password("a-long-pass-phrase")
    address = EmailAddress.objects.get(user=ben)
    assert (address.email, address.primary) == ("ben@example.com", True)
    assert not address.verified


@pytest.mark.parametrize(
    "email, message",
    [
        ("", "This field is required."),
        ("anna@example.com", "Someone already uses this email address."),
        ("Anna@example.com", "Someone already uses this email address."),
        ("old@example.com", "Someone already uses this email address."),
        ('"x,victim@example.org,y"@example.com', "Enter one email address"),
    ],
)
def test_person_added_without_an_address_of_their_own_is_refused(
    client, boss, email, message
):
    anna = make_person(email="anna@example.com")
    EmailAddress.objects.create(user=anna, email="old@example.com", verified=True)

    response = client.post(ADD, new_person(email=email))

    assert message in text(response)
    assert not User.objects.filter(username="ben").exists()


def test_email_changed_is_unverified_and_the_old_one_is_notified(client, boss):
    anna = make_person(email="anna@example.com")

    response = client.post(
        page(anna), person_form(anna, email="New@example.com"), follow=True
    )

    anna.refresh_from_db()
    assert anna.email == "new@example.com"
    rows = EmailAddress.objects.filter(user=anna)
    assert list(rows.values_list("email", "primary", "verified")) == [
        ("new@example.com", True, False)
    ]
    assert "Not verified yet: new@example.com." in text(response)
    (notice,) = mail.outbox
    assert notice.to == ["anna@example.com"]
    assert "new@example.com" in notice.body
    assert "127.0.0.1" not in notice.body  # where staff sit is nobody's business


def test_email_changed_to_one_that_another_has_verified_is_refused(client, boss):
    anna = make_person(email="anna@example.com")
    ben = make_person(email="ben@example.com")
    EmailAddress.objects.create(user=ben, email="ben@work.example", verified=True)

    for email in ("ben@example.com", "BEN@work.example"):
        response = client.post(page(anna), person_form(anna, email=email))
        assert "Someone already uses this email address." in text(response)

    anna.refresh_from_db()
    assert anna.email == "anna@example.com"


def test_email_left_alone_stays_verified(client, boss):
    anna = make_person(email="anna@example.com")

    client.post(page(anna), person_form(anna, first_name="Anna"))
    client.post(page(anna), person_form(anna, email="ANNA@example.com"))

    anna.refresh_from_db()
    assert anna.is_verified
    assert mail.outbox == []


def test_picture_removed_by_staff_is_deleted_from_the_disk(
    client, clerk, django_capture_on_commit_callbacks
):
    clerk("view_user", "change_user")
    anna = make_person(picture=make_picture("anna.png"))
    storage, name = anna.picture.storage, anna.picture.name
    assert storage.exists(name)

    with django_capture_on_commit_callbacks(execute=True):
        client.post(page(anna), person_form(anna, remove_picture="on"))

    anna.refresh_from_db()
    assert not anna.picture
    assert not storage.exists(name)


def test_picture_stays_when_a_name_is_changed(client, boss):
    anna = make_person(picture=make_picture("anna.png"))

    client.post(page(anna), person_form(anna, first_name="Anna"))

    changed = User.objects.get(pk=anna.pk)
    assert (changed.first_name, changed.picture) == ("Anna", anna.picture)


def test_person_with_a_basket_and_links_can_be_deleted(client, boss):
    anna = make_person(verified=False)
    make_link(anna.emailaddress_set.get(), "key")
    basket = make_basket(lines={make_variant(): 1})
    type(basket).objects.filter(pk=basket.pk).update(user=anna, token="")

    client.post(page(anna, "delete"), {"post": "yes"})

    assert not User.objects.filter(pk=anna.pk).exists()


# --- The list ---------------------------------------------------------------------


def test_people_list_says_who_is_verified(client, boss):
    make_person(email="anna@example.com", first_name="Anna", last_name="Lind")
    make_person(email="ben@example.com", verified=False)
    changed = make_person(email="old@example.com")
    User.objects.filter(pk=changed.pk).update(email="eve@example.com")

    def shown(query: str) -> set[str]:
        return set(re.findall(r"\w+@example\.com", text(client.get(LIST + query))))

    assert "Anna Lind" in text(client.get(LIST))
    assert shown("?verified=1") == {"anna@example.com"}
    assert {"ben@example.com", "eve@example.com"} <= shown("?verified=0")
    assert "anna@example.com" not in shown("?verified=0")


@pytest.mark.parametrize("words", ["anna@example", "Lind", "annie", "new@example"])
def test_people_list_finds_by_address_name_and_user_name(client, boss, words):
    anna = make_person(
        username="annie", email="anna@example.com", first_name="Anna", last_name="Lind"
    )
    EmailAddress.objects.create(user=anna, email="new@example.com")
    make_person(email="ben@example.com")

    page = text(client.get(LIST, {"q": words}))

    assert "anna@example.com" in page
    assert "ben@example.com" not in page


def test_people_list_says_when_someone_was_last_seen(client, boss):
    anna = make_person()
    make_session(anna, last_seen_at=timezone.now().replace(year=2031, month=5, day=4))

    assert "May 4, 2031" in text(client.get(LIST))


def test_people_list_costs_the_same_for_ten_and_a_hundred(client, boss):
    def cost(people: int) -> int:
        while User.objects.count() < people:
            make_session(make_person(verified=User.objects.count() % 2 == 0))
        with CaptureQueriesContext(connection) as queries:
            response = client.get(LIST, {"all": ""})
        assert response.text.count("action-checkbox") > people
        return len(queries)

    client.get(LIST)

    assert cost(10) == cost(100)


# --- A person's page --------------------------------------------------------------


def test_person_page_shows_all_details(client, boss):
    anna = make_person(picture=make_picture("anna.png"))
    new = EmailAddress.objects.create(user=anna, email="new@example.com")
    make_link(new, "key-1", hours_ago=1)
    make_link(new, "key-2", hours_ago=49)
    make_link(anna.emailaddress_set.get(primary=True), "key-3")
    make_session(anna, "192.0.2.7")
    gone = make_session(anna, "192.0.2.8")
    Session.objects.get(session_key=gone.session_key).delete()
    SocialAccount.objects.create(user=anna, provider="github", uid="gh-4711")
    TOTP.activate(anna, "SECRET")
    Address.objects.create(
        user=anna, full_name="Anna Lind", line1="Quay 1", city="Lund", country="SE"
    )

    response = client.get(page(anna))

    shown = text(response)
    for words in (
        "new@example.com",
        ": open, valid until",
        ": expired, valid until",
        ": used, valid until",
        "192.0.2.7",
        "Firefox on Linux",
        "gh-4711",
        "TOTP Authenticator",
        "Quay 1",
        "Sweden",
    ):
        assert words in shown
    assert "192.0.2.8" not in shown
    assert anna.picture.url in response.text


def test_person_page_ignores_posted_values_of_read_only_rows(client, boss):
    anna = make_person(verified=False)
    address = anna.emailaddress_set.get()
    rows = {
        "emailaddress_set-TOTAL_FORMS": "1",
        "emailaddress_set-INITIAL_FORMS": "1",
        "emailaddress_set-0-id": address.pk,
        "emailaddress_set-0-user": anna.pk,
        "emailaddress_set-0-verified": "on",
        "emailaddress_set-0-DELETE": "on",
    }

    client.post(page(anna), person_form(anna, first_name="Anna", **rows))

    anna.refresh_from_db()
    assert anna.first_name == "Anna"
    assert not anna.emailaddress_set.get().verified


def test_person_page_with_view_permission_only_has_no_buttons(client, clerk):
    anna = make_person(verified=False)
    make_session(anna)
    clerk("view_user", "view_emailaddress")

    response = client.get(page(anna))

    shown = text(response)
    assert anna.email in shown
    assert "192.0.2.7" not in shown  # that takes a permission of its own
    for words in ("Mark", "Resend", "Sign out", "algorithm", "Save"):
        assert words not in shown
    for name in ("resend", "verify", "sign_out", "second_factor"):
        assert client.post(page(anna, name)).status_code == 403
    assert history(anna) == []


@pytest.mark.parametrize("name", ["resend", "verify", "sign_out"])
def test_button_opened_as_a_link_does_nothing(client, boss, name):
    anna = make_person(verified=False)

    assert client.get(page(anna, name)).status_code == 405
    assert (
        client.post(f"/admin/users/user/0/{name.replace('_', '-')}/").status_code == 404
    )
    assert history(anna) == []


# --- Verification -----------------------------------------------------------------


def press(client, user: User, doing: str, **data):
    """Press a button on the person's page."""
    return client.post(page(user, doing), data, follow=True)


def choose(client, doing: str, *people: User):
    """Run an action on the list of people."""
    pks = [user.pk for user in people]
    data = {"action": f"{doing}_chosen", "_selected_action": pks}
    return client.post(LIST, data, follow=True)


@pytest.fixture(params=[press, choose], ids=["button", "action"])
def do(request, client):
    def doing(name: str, user: User):
        if request.param is press:
            return press(client, user, name)
        return choose(client, name, user)

    return doing


def test_resend_mails_a_new_link_and_is_logged(clerk, do):
    clerk("view_user", "change_user")
    anna = make_person(email="anna@example.com", verified=False)

    response = do("resend", anna)

    link = EmailConfirmation.objects.get(email_address__user=anna)
    assert verification.state(link) == "open"
    (message,) = mail.outbox
    assert message.to == ["anna@example.com"]
    assert link.key in message.body
    said = "Resent the verification email to anna@example.com."
    assert said in text(response)
    assert history(anna) == [("clerk", said)]


def test_resend_goes_to_the_pending_new_address(boss, do):
    anna = make_person()
    EmailAddress.objects.create(user=anna, email="new@example.com")

    do("resend", anna)

    (message,) = mail.outbox
    assert message.to == ["new@example.com"]


def test_resend_to_the_verified_is_refused(boss, do):
    anna = make_person()

    response = do("resend", anna)

    assert "No address is waiting to be verified" in text(response)
    assert mail.outbox == []
    assert history(anna) == []


def test_resend_to_an_account_older_than_verification_gives_it_its_row(boss, do):
    anna = make_user(email="anna@example.com")

    do("resend", anna)

    address = EmailAddress.objects.get(user=anna)
    assert (address.email, address.primary) == ("anna@example.com", True)
    assert not address.verified
    assert len(mail.outbox) == 1


@pytest.mark.parametrize("has_row", [True, False])
def test_verify_by_hand_verifies_and_is_logged(clerk, do, has_row):
    clerk("view_user", "change_user")
    make = make_person if has_row else make_user
    anna = make(email="anna@example.com", **({"verified": False} if has_row else {}))

    response = do("verify", anna)

    address = EmailAddress.objects.get(user=anna)
    assert (address.verified, address.primary) == (True, True)
    assert User.objects.get(pk=anna.pk).is_verified
    said = "Marked anna@example.com as verified by hand."
    assert said in text(response)
    assert history(anna) == [("clerk", said)]


def test_verify_by_hand_does_not_confirm_a_pending_change(boss, do):
    """A thief may have requested the change, and staff cannot know."""
    anna = make_person(email="old@example.com")
    EmailAddress.objects.create(user=anna, email="new@example.com")

    response = do("verify", anna)

    assert "No address is waiting to be verified" in text(response)
    anna.refresh_from_db()
    assert anna.email == "old@example.com"
    assert history(anna) == []


def test_verify_by_hand_verifies_the_present_address_not_the_pending_one(boss, do):
    anna = make_person(email="old@example.com", verified=False)
    EmailAddress.objects.create(user=anna, email="new@example.com")

    do("verify", anna)

    anna.refresh_from_db()
    assert (anna.email, anna.is_verified) == ("old@example.com", True)


def test_verify_by_hand_of_an_address_of_another_account_is_refused(boss, do):
    anna = make_person(email="anna@example.com", verified=False)
    EmailAddress.objects.create(
        user=make_person(), email="anna@example.com", verified=True
    )

    response = do("verify", anna)

    assert "Another account uses anna@example.com." in text(response)
    assert not User.objects.get(pk=anna.pk).is_verified
    assert history(anna) == []


def test_verify_by_hand_of_the_verified_is_refused(boss, do):
    anna = make_person()

    assert "No address is waiting to be verified" in text(do("verify", anna))
    assert history(anna) == []


# --- Sessions ---------------------------------------------------------------------


def is_open(session: UserSession) -> bool:
    known = UserSession.objects.filter(pk=session.pk).exists()
    assert SessionStore().exists(session.session_key) == known
    return known


def test_sign_out_there_ends_that_session_only(client, clerk):
    clerk("view_user", "change_user")
    anna = make_person()
    phone, laptop = make_session(anna, "192.0.2.7"), make_session(anna, "192.0.2.8")

    response = press(client, anna, "sign_out", session=phone.pk)

    assert not is_open(phone)
    assert is_open(laptop)
    said = f"Signed {anna} out of 1 session: Firefox on Linux (192.0.2.7)."
    assert said in text(response)
    assert history(anna) == [("clerk", said)]


def test_sign_out_everywhere_ends_all_but_the_requests_own(client, boss):
    session = client.session
    here = UserSession.objects.create(
        user=boss, session_key=session.session_key, ip="127.0.0.1"
    )
    phone, anna = make_session(boss), make_person()
    annas = make_session(anna)

    assert "This session" in text(client.get(page(boss)))
    press(client, boss, "sign_out", everywhere="")
    choose(client, "sign_out", anna)

    assert is_open(here)
    assert not is_open(phone)
    assert not is_open(annas)
    assert client.get(LIST).status_code == 200


@pytest.mark.parametrize("chosen", [{}, {"session": "0"}, {"session": "x"}])
def test_sign_out_of_no_session_of_theirs_ends_none(client, boss, chosen):
    anna, ben = make_person(), make_person()
    annas, bens = make_session(anna), make_session(ben)

    response = press(client, anna, "sign_out", **chosen)
    press(client, anna, "sign_out", session=bens.pk)

    assert is_open(annas)
    assert is_open(bens)
    assert "no such session" in text(response)
    assert history(anna) == []


# --- Second factors ---------------------------------------------------------------


def test_second_factor_reset_deletes_all_and_notifies_the_owner(client, boss):
    anna = make_person(email="anna@example.com")
    TOTP.activate(anna, "SECRET")
    RecoveryCodes.activate(anna)

    assert "Make sure the request really comes from them" in text(
        client.get(page(anna, "second_factor"))
    )
    assert Authenticator.objects.filter(user=anna).count() == 2
    response = press(client, anna, "second_factor")

    assert not Authenticator.objects.filter(user=anna).exists()
    said = f"Reset two-step verification for {anna}."
    assert said in text(response)
    assert history(anna) == [("boss", said)]
    (notice,) = mail.outbox
    assert notice.to == ["anna@example.com"]


def test_second_factor_is_reset_by_administrators_only_and_not_their_own(client, clerk):
    anna = make_person()
    TOTP.activate(anna, "SECRET")
    clerk()

    assert "Reset two-step verification" not in text(client.get(page(anna)))
    assert client.post(page(anna, "second_factor")).status_code == 403

    boss = make_user(is_staff=True, is_superuser=True)
    TOTP.activate(boss, "SECRET")
    client.force_login(boss)
    assert "Reset two-step verification" in text(client.get(page(anna)))
    assert client.post(page(boss, "second_factor")).status_code == 403
    assert Authenticator.objects.count() == 2


# --- Nobody becomes more than they are --------------------------------------------


@pytest.fixture(
    params=[{"is_staff": True}, {"is_superuser": True}, {"is_staff": True, "n": 1}],
    ids=["staff", "superuser", "inactive staff"],
)
def colleague(request) -> User:
    fields = dict(request.param)
    is_active = not fields.pop("n", 0)
    return make_person(
        email="chief@example.com", verified=False, is_active=is_active, **fields
    )


def test_staff_change_no_other_staff(client, clerk, colleague):
    clerk()  # with every permission there is
    shopper = make_person(email="anna@example.com", verified=False)
    phone = make_session(colleague)
    before = User.objects.filter(pk=colleague.pk).values().get()
    taken = person_form(colleague, email="mine@example.com", is_active="")

    assert client.get(page(shopper)).text.count('name="_save"') == 1
    assert 'name="_save"' not in client.get(page(colleague)).text
    assert client.post(page(colleague), taken).status_code == 403
    passwords = {"password1": "taken-over-1", "password2": "taken-over-1"}
    password_page = reverse("admin:auth_user_password_change", args=[colleague.pk])
    assert client.post(password_page, passwords).status_code == 403
    assert client.post(page(colleague, "delete"), {"post": "yes"}).status_code == 403
    for doing in ("resend", "verify", "sign_out"):
        answer = client.post(page(colleague, doing), {"everywhere": ""})
        assert answer.status_code == 403
        message = choose(client, doing, colleague, shopper)
        assert "Only an administrator can do that to chief@example.com." in text(
            message
        )
    choice = {"action": "delete_selected", "_selected_action": [colleague.pk]}
    client.post(LIST, choice | {"post": "yes"})

    assert User.objects.filter(pk=colleague.pk).values().get() == before
    assert not colleague.emailaddress_set.get().verified
    assert is_open(phone)
    assert history(colleague) == []
    assert shopper.emailaddress_set.get().verified  # the others were done


def test_staff_cannot_give_rights_to_others_or_themselves(client, clerk):
    me = clerk()
    anna, group = make_person(), Group.objects.create(name="Chiefs")
    permission = Permission.objects.first()
    rights = {
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": [permission.pk],
    }
    mine = set(me.user_permissions.all())

    client.post(page(anna), person_form(anna, first_name="Anna", **rights))
    assert client.post(page(me), person_form(me, **rights)).status_code == 403
    client.post(ADD, new_person(**rights))
    group_page = reverse("admin:auth_group_change", args=[group.pk])
    data = {"name": "Mine", "permissions": [permission.pk]}
    assert client.post(group_page, data).status_code == 403

    anna.refresh_from_db()
    assert anna.first_name == "Anna"
    for user in (anna, User.objects.get(username="ben")):
        assert not (user.is_staff or user.is_superuser)
        assert not user.groups.exists() and not user.user_permissions.exists()
    me.refresh_from_db()
    assert not me.is_superuser
    assert set(me.user_permissions.all()) == mine
    assert not group.permissions.exists()


def test_administrators_give_rights_but_cannot_lock_themselves_out(client, boss):
    anna, group = make_person(), Group.objects.create(name="Packers")

    client.post(page(anna), person_form(anna, is_staff="on", groups=[group.pk]))
    me = {"username": "boss", "email": boss.email, "first_name": "Bo"}
    client.post(page(boss), me | {"last_name": ""})
    client.post(page(boss, "delete"), {"post": "yes"})

    anna.refresh_from_db()
    boss.refresh_from_db()
    assert anna.is_staff and anna.groups.get() == group
    assert boss.first_name == "Bo"
    assert boss.is_active and boss.is_staff and boss.is_superuser


def test_shopper_sees_none_of_it(client):
    anna, ben = make_person(), make_person(verified=False)
    client.force_login(anna)

    for name in ("change", "resend", "verify", "sign_out", "second_factor"):
        response = client.post(page(ben, name))
        assert response.status_code == 302
        assert "login" in response["Location"]
    assert not ben.emailaddress_set.get().verified


# --- Verifications ----------------------------------------------------------------


@pytest.fixture
def links() -> dict[str, EmailConfirmation]:
    anna, ben = make_person(email="used@example.com"), make_person(verified=False)
    lind = make_person(email="used2@example.com")
    eve = make_person(email="expired@example.com", verified=False)
    User.objects.filter(pk=ben.pk).update(email="open@example.com")
    ben.emailaddress_set.update(email="open@example.com")
    hours = {anna: 3, lind: 49, ben: 47.9, eve: 48.1}
    return {
        user.emailaddress_set.get().email.partition("@")[0]: make_link(
            user.emailaddress_set.get(), f"key{user.pk}", hours_ago=ago
        )
        for user, ago in hours.items()
    }


@pytest.mark.parametrize("state", ["open", "expired", "used"])
def test_verifications_are_listed_by_their_state(client, clerk, links, state):
    clerk("view_emailconfirmation")

    shown = text(client.get(LINKS, {"state": state}))

    expected = {name for name in links if name.startswith(state)}
    assert set(re.findall(r"(\w+)@example\.com", shown)) == expected
    assert {verification.state(links[name]) for name in expected} == {state}


def test_verifications_are_read_only(client, boss, links):
    link = links["open"]
    change = reverse("admin:account_emailconfirmation_change", args=[link.pk])

    shown = text(client.get(change))
    assert "open@example.com" in shown and "Save" not in shown
    assert client.get(LINKS + "add/").status_code == 403
    assert client.post(change, {"key": "mine"}).status_code == 403
    delete = reverse("admin:account_emailconfirmation_delete", args=[link.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403
    assert EmailConfirmation.objects.get(pk=link.pk).key == link.key


def test_verifications_cost_the_same_for_four_and_thirty(client, boss, links):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(LINKS)
        return len(queries)

    client.get(LINKS)
    four = cost()
    for n in range(30):
        person = make_person(verified=False)
        make_link(person.emailaddress_set.get(), f"another{n}")

    assert cost() == four


# --- Secrets ----------------------------------------------------------------------


def test_no_page_of_the_admin_shows_a_secret(client, boss):
    anna = make_person(verified=False)
    link = make_link(anna.emailaddress_set.get(), "linksecret" * 6)
    session = make_session(anna)
    TOTP.activate(anna, "TOTPSECRET234567")
    codes = RecoveryCodes.activate(anna)
    account = SocialAccount.objects.create(
        user=anna, provider="github", uid="1", extra_data={"id_token": "extrasecret"}
    )
    app = SocialApp.objects.create(
        provider="github", name="GitHub", client_id="id", secret="appsecret"
    )
    SocialToken.objects.create(
        app=app, account=account, token="accesssecret", token_secret="refreshsecret"
    )
    secrets = {
        link.key,
        session.session_key,
        client.session.session_key,
        anna.password,
        anna.password.rpartition("$")[2],
        "TOTPSECRET234567",
        codes.instance.data["seed"],
        *codes.get_unused_codes(),
        *("extrasecret", "appsecret", "accesssecret", "refreshsecret"),
    }

    seen = walk(client)

    link_page = reverse("admin:account_emailconfirmation_change", args=[link.pk])
    pages = {page(anna), page(anna, "delete"), page(anna, "history"), link_page}
    assert pages <= seen.keys()
    shown = [
        (address, secret)
        for address, html in seen.items()
        for secret in secrets
        if secret in html
    ]
    assert not shown


def walk(client) -> dict[str, str]:
    """Return the texts of all paths below /admin/ that links lead to."""
    seen: dict[str, str] = {}
    todo = {"/admin/"}
    while todo:
        address = todo.pop()
        response = client.get(address)
        seen[address] = text = response.getvalue().decode()
        if "text/html" not in response.get("Content-Type", ""):
            continue
        links = re.findall(r'href="([^"#]*)', text)
        for link in map(unescape, links):
            link = link if link.startswith("/") else address.partition("?")[0] + link
            bare, _, query = link.partition("?")
            if link.startswith("/admin/") and "logout" not in link and not query:
                todo |= {bare} - seen.keys()
    return seen


@pytest.mark.parametrize(
    "address, lookup, value",
    [
        (LINKS, "key", "linksecret"),
        (LINKS, "key__startswith", "l"),
        (LIST, "password__startswith", "md5"),
        (LIST, "usersession__session_key__startswith", "a"),
        (LIST, "authenticator__data__contains", "a"),
        (LIST, "emailaddress__emailconfirmation__key__startswith", "l"),
    ],
)
def test_secret_cannot_be_guessed_by_asking_a_list_for_it(
    client, boss, address, lookup, value
):
    anna = make_person(verified=False)
    make_link(anna.emailaddress_set.get(), "linksecret")

    assert client.get(address, {lookup: value}).status_code == 400


@pytest.mark.parametrize(
    "model",
    [EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession],
)
def test_page_of_allauth_with_secrets_or_rights_is_gone(model):
    assert not admin.site.is_registered(model)
    with pytest.raises(NoReverseMatch):
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
