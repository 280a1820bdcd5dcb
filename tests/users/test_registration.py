"""Signing up."""

import re

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from django.contrib.messages import get_messages
from django.urls import reverse

from products.models import Basket
from tests.support.concurrency import together
from tests.support.factories import make_shopper, make_user, make_variant
from users.models import User

pytestmark = pytest.mark.django_db

SIGNUP = "/users/signup/"
SENT = "/users/confirm-email/"
PASSWORD = "a-long-pass-phrase"
LONG_EMAIL = f"a@{'.'.join(['a' * 60] * 4)}.example.com"


def sign_up(client, email="anna@example.com", **data):
    passwords = {"password1": PASSWORD, "password2": PASSWORD}
    return client.post(SIGNUP, {"email": email} | passwords | data)


def link_in(mail) -> str:
    """The path of the link to confirm an address by."""
    return re.search(r"(/users/confirm-email/\w+/)", mail.body)[1]


# --- What is asked ----------------------------------------------------------------


def test_sign_up_page_tells_browsers_what_each_field_is_for(client):
    page = client.get(SIGNUP)
    form = page.context["form"]

    kinds = {
        name: field.widget.attrs["autocomplete"] for name, field in form.fields.items()
    }
    assert kinds == {
        "email": "email",
        "first_name": "given-name",
        "password1": "new-password",
        "password2": "new-password",
    }
    assert list(form.fields) == list(kinds)
    assert page.text.count("autofocus") == 1
    assert form.fields["email"].widget.attrs["autofocus"]
    assert "<title>Create an account ·" in page.text


@pytest.mark.parametrize(
    "data, field",
    [
        ({"email": ""}, "email"),
        ({"email": "anna"}, "email"),
        ({"email": '"x,victim@example.org,y"@example.com'}, "email"),
        ({"email": LONG_EMAIL}, "email"),
        ({"password1": "short", "password2": "short"}, "password1"),
        ({"password1": "anna@example.com", "password2": "anna@example.com"}, None),
        ({"password2": "another-pass-phrase"}, "password2"),
        ({"first_name": "a" * 151}, "first_name"),
        ({"first_name": "Anna\x07"}, "first_name"),
        ({"first_name": "Anna\u202eevil"}, "first_name"),
        ({"first_name": "Anna\nBcc: all"}, "first_name"),
    ],
)
def test_sign_up_with_an_error_shows_it_beside_the_field(
    client, mailoutbox, data, field
):
    response = sign_up(client, **data)

    assert response.status_code == 200
    assert (field or "password1") in response.context["form"].errors
    assert not User.objects.exists()
    assert mailoutbox == []


# --- What comes of it -------------------------------------------------------------


def test_sign_up_makes_an_unverified_person_and_signs_nobody_in(client, mailoutbox):
    response = sign_up(client, "Anna@Example.com", first_name="Anna")

    anna = User.objects.get()
    assert response.url == SENT
    assert (anna.email, anna.first_name) == ("anna@example.com", "Anna")
    assert anna.check_password(PASSWORD)
    assert not anna.is_verified
    assert "@" not in anna.username
    assert "_auth_user_id" not in client.session
    (mail,) = mailoutbox
    assert mail.to == ["anna@example.com"]
    assert EmailConfirmation.objects.get().key in mail.body


def test_sign_up_ends_at_look_in_your_mail_with_the_address(client):
    sign_up(client)

    page = client.get(SENT)

    assert "Thank you. We’ve emailed anna@example.com." in page.text
    assert page.context["address"] == "anna@example.com"
    assert page.text.count("anna@example.com") >= 2


def test_sign_up_leaves_the_anonymous_basket_until_signing_in(client):
    client.post(reverse("products:basket-add", args=[make_variant().pk]))
    sign_up(client)
    assert not Basket.objects.filter(user__isnull=False).exists()

    client.post("/users/login/", {"login": "anna@example.com", "password": PASSWORD})

    assert Basket.objects.open().get().user == User.objects.get()


def test_sign_up_redirects_signed_in_visitors_to_the_shop(client):
    client.force_login(make_user())

    assert client.get(SIGNUP).url == "/"


def test_sign_up_link_in_the_mail_is_the_shops_whatever_host_was_asked(
    client, mailoutbox, settings
):
    settings.DOMAIN_NAME = "https://shop.example"
    settings.ALLOWED_HOSTS = ["*"]

    client.post(
        SIGNUP,
        {"email": "anna@example.com", "password1": PASSWORD, "password2": PASSWORD},
        headers={"host": "evil.example"},
    )

    (mail,) = mailoutbox
    html = "".join(str(part.content) for part in mail.alternatives)
    assert f"https://shop.example{link_in(mail)}" in mail.body
    assert "evil.example" not in mail.body + mail.subject + html


# --- Whether somebody has an account is nobody else's business -----------------


def what_one_sees(client, email) -> dict:
    response = sign_up(client, email)
    page = client.get(response.url)
    return {
        "status": response.status_code,
        "url": response.url,
        "cookies": set(client.cookies),
        "messages": [
            str(m).replace(email, "…") for m in get_messages(page.wsgi_request)
        ],
        "page": without_token(page.text.replace(email, "…")),
    }


def without_token(page: str) -> str:
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)


@pytest.mark.parametrize("verified", [True, False])
def test_sign_up_with_a_known_address_gets_the_same_answer(
    client_of, mailoutbox, verified
):
    known = make_shopper(verified=verified)

    seen = [what_one_sees(client_of(), email) for email in (known.email, "n@e.com")]

    assert seen[0] == seen[1]
    assert [mail.to for mail in mailoutbox] == [[known.email], ["n@e.com"]]


def test_sign_up_with_a_known_address_hashes_as_many_passwords(client_of, hashed):
    known = make_shopper()

    known_takes = hashed(lambda: sign_up(client_of(), known.email))
    new_takes = hashed(lambda: sign_up(client_of(), "new@example.com"))

    assert known_takes == new_takes == 1


def test_sign_up_with_a_known_address_writes_to_its_owner_and_changes_nothing(
    client, mailoutbox
):
    known = make_shopper(email="anna@example.com")

    sign_up(client, "ANNA@example.com")

    known.refresh_from_db()
    assert known.check_password("password")
    assert User.objects.count() == 1
    (mail,) = mailoutbox
    assert "/users/password/reset/" in mail.body
    assert "/confirm-email/" not in mail.body
    assert not EmailConfirmation.objects.exists()


def test_sign_up_with_a_pending_address_of_another_account_works(client, mailoutbox):
    """Else one could keep people out by asking to change to their address."""
    squatter = make_shopper()
    EmailAddress.objects.create(user=squatter, email="anna@example.com")

    sign_up(client)

    assert User.objects.filter(email="anna@example.com").exists()
    client.post(link_in(mailoutbox[-1]))
    assert User.objects.get(email="anna@example.com").is_verified


@pytest.mark.django_db(transaction=True)
def test_sign_up_twice_at_once_makes_one_person_and_no_error(client_of):
    responses = together([lambda: sign_up(client_of())] * 6)

    assert [(r.status_code, r.url) for r in responses] == [(302, SENT)] * 6
    assert User.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_sign_up_at_once_of_people_whose_names_are_alike_makes_all(client_of):
    emails = [f"anna@example{n}.com" for n in range(5)]

    together(lambda e=e: sign_up(client_of(), e) for e in emails)

    people = User.objects.values_list("email", "username")
    assert {email for email, _ in people} == set(emails)
    assert len({name for _, name in people}) == 5
