"""The verification of email addresses with a link."""

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from django.urls import reverse
from django.utils import timezone

from products.models import Basket
from tests.support.concurrency import together
from tests.support.factories import make_shopper, make_user, make_variant
from users.models import User

pytestmark = pytest.mark.django_db

SIGNUP, SENT = "/users/signup/", "/users/confirm-email/"
LOGIN, PROFILE = "/users/login/", "/users/profile/"
PASSWORDS = {"password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"}


def make_link(email="anna@example.com", age=timedelta(0), user=None) -> str:
    """The path of a link that was mailed to somebody unverified some time ago."""
    user = user or make_user(email=email)
    address, _ = EmailAddress.objects.get_or_create(
        user=user, email=email, defaults={"primary": user.email == email}
    )
    link = EmailConfirmation.create(address)
    link.sent = timezone.now() - age
    link.save()
    return reverse("account_confirm_email", args=[link.key])


def is_verified(email="anna@example.com") -> bool:
    return EmailAddress.objects.filter(email=email, verified=True).exists()


def state(response) -> tuple[str, int]:
    return response.context["state"], response.status_code


# --- A good link ------------------------------------------------------------------


def test_link_followed_shows_whose_it_is_and_changes_nothing(client):
    """Mail programs follow links before people do."""
    link = make_link()

    for _visit in range(2):
        page = client.get(link)

        assert state(page) == ("open", 200)
        assert "anna@example.com" in page.text
        assert page.context["owner"] == User.objects.get()
        assert "no-store" in page["Cache-Control"]
    assert not is_verified()
    assert client.head(link).status_code == 200
    assert not is_verified()


def test_link_confirmed_elsewhere_verifies_and_asks_to_sign_in(client):
    response = client.post(make_link())

    assert is_verified()
    assert User.objects.get().is_verified
    assert response.url == LOGIN
    assert "_auth_user_id" not in client.session
    assert "You have confirmed anna@example.com." in client.get(LOGIN).text


def test_link_confirmed_by_its_owner_signed_in_leads_to_their_profile(client):
    link = make_link()
    client.force_login(User.objects.get())

    assert client.post(link).url == PROFILE
    assert is_verified()


def test_link_confirmed_in_the_browser_of_the_sign_up_signs_in_with_the_basket(
    client, mailoutbox
):
    client.post(reverse("products:basket-add", args=[make_variant().pk]))
    client.post(SIGNUP, PASSWORDS | {"email": "anna@example.com", "next": "/basket/"})
    link = re.search(r"/users/confirm-email/\w+/", mailoutbox[0].body)[0]

    response = client.post(link)

    anna = User.objects.get()
    assert response.url == "/basket/"
    assert client.session["_auth_user_id"] == str(anna.pk)
    assert Basket.objects.open().get().user == anna
    page = client.get(response.url).text
    assert page.count("You have confirmed anna@example.com.") == 1
    assert page.count("Welcome back. You’re signed in.") == 1
    assert "haven’t verified" not in page


def test_link_of_somebody_else_in_the_browser_of_a_sign_up_signs_nobody_in(
    client, mailoutbox
):
    client.post(SIGNUP, PASSWORDS | {"email": "anna@example.com"})
    ben = make_link("ben@example.com")

    client.post(ben)

    assert is_verified("ben@example.com")
    assert "_auth_user_id" not in client.session


# --- Links that are good no more --------------------------------------------------


def test_link_is_valid_for_48_hours(client):
    young = make_link("y@example.com", timedelta(hours=47, minutes=59))
    old = make_link("o@example.com", timedelta(hours=48, seconds=1))

    assert state(client.get(young)) == ("open", 200)
    assert state(client.get(old)) == ("expired", 410)
    assert state(client.post(old)) == ("expired", 410)
    assert not is_verified("o@example.com")


def test_link_that_is_too_old_offers_another(client, mailoutbox):
    page = client.get(make_link(age=timedelta(hours=49)))
    assert SENT in page.text and "anna@example.com" in page.text

    client.post(SENT, {"email": page.context["email"]})

    fresh = re.search(r"/users/confirm-email/\w+/", mailoutbox[0].body)[0]
    client.post(fresh)
    assert is_verified()


def test_link_works_once(client):
    link = make_link()
    client.post(link)

    assert state(client.get(link)) == ("used", 410)
    assert state(client.post(link)) == ("used", 410)


def test_link_followed_uses_up_the_others_to_that_address(client):
    first = make_link()
    second = make_link(user=User.objects.get())

    client.post(second)

    assert state(client.post(first)) == ("used", 410)


@pytest.mark.django_db(transaction=True)
def test_link_confirmed_many_times_at_once_works_once(client_of):
    first = make_link()
    links = [first, make_link(user=User.objects.get())] * 3

    answers = together(lambda link=link: client_of().post(link) for link in links)

    assert sorted(answer.status_code for answer in answers) == [302] + [410] * 5
    assert is_verified()


@pytest.mark.parametrize("key", ["nonsense", "x" * 64, "a:b-c", "%00", "é"])
def test_link_that_is_unknown_shows_an_error(client, key):
    page = client.get(f"/users/confirm-email/{key}/")

    assert page.status_code == 404
    if key != "%00":
        assert state(page) == ("wrong", 404)
        assert state(client.post(f"/users/confirm-email/{key}/")) == ("wrong", 404)


def test_link_of_a_deactivated_account_is_wrong(client):
    link = make_link()
    User.objects.update(is_active=False)

    assert state(client.post(link)) == ("wrong", 404)
    assert not is_verified()


def test_link_of_another_account_shows_an_error_and_keeps_the_sign_in(client):
    link, ben = make_link(), make_shopper()
    client.force_login(ben)

    for answer in (client.get(link), client.post(link)):
        assert state(answer) == ("foreign", 403)
        assert "anna@example.com" in answer.text
    assert client.session["_auth_user_id"] == str(ben.pk)
    assert not is_verified()


@pytest.mark.parametrize("verified", [True, False])
def test_link_to_an_address_of_another_account_shows_an_error(client, verified):
    anna = make_shopper()
    link = make_link("wanted@example.com", user=anna)
    client.force_login(anna)
    make_shopper(email="wanted@example.com", verified=verified)

    for answer in (client.get(link), client.post(link)):
        assert state(answer) == ("taken", 409)
    anna.refresh_from_db()
    assert anna.email != "wanted@example.com"
    assert anna.is_verified


def test_link_to_an_address_taken_during_the_request_shows_an_error(client):
    """Only the table knows: here, as the other's is written in capitals."""
    anna, ben = make_shopper(), make_shopper()
    link = make_link("wanted@example.com", user=anna)
    client.force_login(anna)
    User.objects.filter(pk=ben.pk).update(email="WANTED@example.com")
    assert state(client.get(link)) == ("open", 200)

    assert state(client.post(link)) == ("taken", 409)

    assert not is_verified("wanted@example.com")


@pytest.mark.django_db(transaction=True)
def test_link_to_one_address_of_two_people_at_once_makes_it_one_persons(client_of):
    people = [make_shopper() for _ in range(4)]
    links = [make_link("wanted@example.com", user=person) for person in people]
    clients = [client_of(person) for person in people]

    answers = together(
        lambda client=client, link=link: client.post(link)
        for client, link in zip(clients, links)
    )

    assert sorted(answer.status_code for answer in answers) == [302, 409, 409, 409]
    assert User.objects.filter(email="wanted@example.com").count() == 1


@pytest.mark.parametrize(
    "make, title",
    [
        (lambda: make_link(), "Verify your email address"),
        (lambda: make_link(age=timedelta(days=3)), "This link has expired"),
        (lambda: "/users/confirm-email/nonsense/", "This link doesn’t work"),
    ],
)
def test_link_has_a_title_in_every_state(client, make, title):
    assert f"<title>{title} ·" in client.get(make()).text


# --- Once more --------------------------------------------------------------------


def resend(client, email=None):
    return client.post(SENT, {"email": email} if email else {}, follow=True)


def test_resend_sends_another_link_and_the_first_stays_good(client, mailoutbox):
    first = make_link()

    resend(client, "Anna@example.com")

    (mail,) = mailoutbox
    second = re.search(r"/users/confirm-email/\w+/", mail.body)[0]
    assert mail.to == ["anna@example.com"]
    assert second != first
    assert state(client.get(first)) == state(client.get(second)) == ("open", 200)


def test_resend_gives_the_same_answer_whether_the_address_is_known_or_not(
    client, mailoutbox
):
    make_link("waits@example.com")
    make_shopper(email="done@example.com")

    pages = [
        re.sub(r'value="\w{64}"', "", resend(client, email).text)
        for email in ("waits@example.com", "done@example.com", "nobody@example.com")
    ]

    assert len(set(pages)) == 1
    assert "If this address still needs to be verified" in pages[0]
    assert [mail.to for mail in mailoutbox] == [["waits@example.com"]]


def test_resend_to_one_address_is_limited(client, mailoutbox):
    make_link()

    for _time in range(4):
        assert resend(client, "anna@example.com").status_code == 200

    assert len(mailoutbox) == 1


def test_resend_from_one_computer_is_limited(client, mailoutbox):
    for n in range(10):
        assert resend(client, f"a{n}@example.com").status_code == 200

    assert client.post(SENT, {"email": "b@example.com"}).status_code == 429


def test_resend_for_an_address_before_its_sign_up_uses_up_nothing(client, mailoutbox):
    resend(client, "anna@example.com")

    client.post(SIGNUP, PASSWORDS | {"email": "anna@example.com"})

    assert len(mailoutbox) == 1


def test_resend_for_a_signed_in_user_asks_for_no_address(client, mailoutbox):
    make_link()
    client.force_login(User.objects.get())
    page = client.get(SENT)
    assert page.context["address"] == "anna@example.com"
    assert not page.context["verified"] and not page.context["form"].fields

    resend(client, "somebody@example.com")

    assert [mail.to for mail in mailoutbox] == [["anna@example.com"]]


def test_resend_for_a_verified_user_sends_nothing(client, mailoutbox):
    client.force_login(make_shopper())
    assert client.get(SENT).context["verified"]

    assert resend(client).status_code == 200

    assert mailoutbox == []


def test_resend_for_an_account_older_than_verification_makes_its_row(
    client, mailoutbox
):
    """Accounts of `createsuperuser` have no such row."""
    user = make_user()
    client.force_login(user)

    resend(client)

    assert EmailAddress.objects.get(user=user, email=user.email).primary
    assert len(mailoutbox) == 1


def test_resend_with_an_error_shows_it(client, mailoutbox):
    page = client.post(SENT, {"email": "anna"})

    assert "email" in page.context["form"].errors
    assert mailoutbox == []
