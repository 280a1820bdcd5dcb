"""Second factors of staff, on every page that requires them."""

from urllib.parse import quote

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.test import Client

from tests.support.factories import make_shopper

pytestmark = pytest.mark.django_db

LOGIN = "/users/login/"
STAFF_PAGES = [
    "/admin/",
    "/admin/products/product/",
    "/admin/products/stock/",
    "/admin/jsi18n/",
    "/admin/nowhere/",
]
OTHER_PAGES = ["/", "/products/", "/basket/", "/users/profile/", "/users/sessions/"]


@pytest.fixture
def required(settings) -> None:
    settings.STAFF_MFA_REQUIRED = True


def make_staff(**fields):
    return make_shopper(is_staff=True, **fields)


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


PROVE = "/users/2fa/reauthenticate/"


def note(client: Client, user, records: list[dict]) -> None:
    """Write into the session what allauth notes of a sign-in."""
    session = client.session
    session["account_authentication_methods_user"] = str(user.pk)
    session["account_authentication_methods"] = records
    session.save()


def show(client: Client, factor: Authenticator) -> None:
    used = {"method": "mfa", "id": factor.pk, "type": factor.type}
    note(client, factor.user, [{"method": "password"}, used])


def code_for(secret: str) -> str:
    return f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06}"


def give_factor(user, kind=Authenticator.Type.TOTP, **data) -> Authenticator:
    return Authenticator.objects.create(user=user, type=kind, data=data)


# --- Where a second factor is asked of staff --------------------------------------


@pytest.mark.parametrize("page", STAFF_PAGES)
@pytest.mark.parametrize("who", ["is_staff", "is_superuser"])
def test_staff_page_without_a_second_factor_leads_to_where_one_is_set_up(
    required, page, who
):
    client = signed_in(make_shopper(**{who: True}))

    for method in (client.get, client.post):
        response = method(page)
        assert (response.status_code, response["Location"]) == (302, "/users/2fa/")
    assert "Staff accounts need two-step verification" in client.get("/users/2fa/").text


@pytest.mark.parametrize("kind", [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])
def test_staff_page_is_open_to_a_session_that_has_shown_a_second_factor(required, kind):
    user = make_staff(is_superuser=True)
    client = signed_in(user)
    show(client, give_factor(user, kind, secret="x"))

    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    "page",
    [
        *STAFF_PAGES,
        "/staff/orders/",
        "/staff/orders/?fragment=1",
        "/staff/orders/export.csv?from=2026-01-01&to=2026-01-31",
        "/staff/pulse/",
        "/admin/products/product/import/",
    ],
)
@pytest.mark.parametrize(
    "kind, ask", [("totp", PROVE), ("webauthn", "/users/2fa/webauthn/reauthenticate/")]
)
def test_staff_page_asks_an_older_session_for_the_second_factor(
    required, page, kind, ask
):
    user = make_staff(is_superuser=True)
    client = signed_in(user)
    give_factor(user, kind, secret="x")

    for method in (client.get, client.post):
        response = method(page)
        assert response.status_code == 302
        assert response.url.startswith(f"{ask}?next={quote(page.partition('?')[0])}")


@pytest.mark.parametrize(
    "records",
    [
        [{"method": "password", "reauthenticated": True}],
        [{"method": "code", "reauthenticated": True}],
        [{"method": "mfa", "type": "totp", "id": 0}],
        [{"method": "mfa", "type": "totp"}],
    ],
    ids=["password", "mail", "a factor that is gone", "no factor"],
)
def test_staff_page_is_closed_to_a_session_that_has_shown_something_else(
    required, records
):
    user = make_staff(is_superuser=True)
    give_factor(user, secret="x")
    client = signed_in(user)
    note(client, user, records)

    assert client.get("/admin/").url.startswith(PROVE)


def test_staff_page_is_closed_to_what_somebody_else_has_shown_in_the_session(required):
    user, other = make_staff(is_superuser=True), make_staff()
    give_factor(user, secret="x")
    client = signed_in(user)
    show(client, give_factor(other, secret="y"))

    assert client.get("/admin/").url.startswith(PROVE)


def test_session_from_before_the_second_factor_shows_it_and_comes_back(required):
    user, secret = make_staff(is_superuser=True), generate_totp_secret()
    client = signed_in(user)
    TOTP.activate(user, secret)
    ask = client.get("/admin/products/product/?q=lamp").url

    response = client.post(ask, {"code": code_for(secret)})

    assert response.url == "/admin/products/product/?q=lamp"
    assert client.get(response.url).status_code == 200


def test_session_that_sets_up_a_second_factor_has_shown_it(
    required, django_capture_on_commit_callbacks
):
    user = make_staff(is_superuser=True)
    client = signed_in(user)
    client.post("/users/reauthenticate/", {"password": "password"})
    page = client.get("/users/2fa/totp/activate/")
    secret = page.context["form"].secret

    with django_capture_on_commit_callbacks(execute=True):
        client.post("/users/2fa/totp/activate/", {"code": code_for(secret)})

    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/users/2fa/totp/deactivate/",
        "/users/2fa/webauthn/add/",
        "/users/2fa/recovery-codes/",
        "/users/2fa/recovery-codes/download/",
        "/users/2fa/recovery-codes/generate/",
    ],
)
def test_stolen_password_of_staff_changes_no_second_factor(required, path):
    """Else it would add one of the thief's, and show that."""
    user = make_staff()
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    client = signed_in(user)
    client.post("/users/reauthenticate/", {"password": "password"})

    for method in (client.get, client.post):
        assert method(path).url.startswith(PROVE)


def test_staff_page_with_recovery_codes_only_is_closed(required):
    user = make_staff(is_superuser=True)
    give_factor(user, Authenticator.Type.RECOVERY_CODES, seed="x", used_mask=0)

    assert signed_in(user).get("/admin/").url == "/users/2fa/"


@pytest.mark.parametrize("page", OTHER_PAGES)
def test_other_pages_are_open_to_staff_without_a_second_factor(required, page):
    assert signed_in(make_staff()).get(page).status_code == 200


def test_staff_without_a_second_factor_can_sign_out(required):
    client = signed_in(make_staff())

    client.post("/admin/logout/")

    assert "_auth_user_id" not in client.session


def test_staff_page_is_open_where_no_second_factor_is_asked_for(settings):
    assert settings.STAFF_MFA_REQUIRED is False

    assert signed_in(make_staff()).get("/admin/").status_code == 200


@pytest.mark.parametrize("page", ["/", "/admin/"])
def test_second_factor_is_never_looked_up_for_strangers_and_shoppers(
    page, settings, django_assert_num_queries, django_assert_max_num_queries
):
    for client in (Client(), signed_in(make_shopper())):
        settings.STAFF_MFA_REQUIRED = False
        client.get(page)
        with django_assert_max_num_queries(50) as queries:
            client.get(page)

        settings.STAFF_MFA_REQUIRED = True
        with django_assert_num_queries(len(queries)):
            client.get(page)


def test_second_factor_of_staff_costs_one_query_on_staff_pages_and_none_elsewhere(
    settings, django_assert_max_num_queries
):
    user = make_staff(is_superuser=True)
    client = signed_in(user)
    show(client, give_factor(user, secret="x"))
    extra = {}
    for page in ("/admin/", "/"):
        costs = []
        for is_required in (False, True):
            settings.STAFF_MFA_REQUIRED = is_required
            client.get(page)
            with django_assert_max_num_queries(50) as queries:
                client.get(page)
            costs.append(len(queries))
        extra[page] = costs[1] - costs[0]

    assert extra == {"/admin/": 1, "/": 0}


# --- The admin's door is the shop's -----------------------------------------------


@pytest.mark.parametrize("page", ["/admin/", "/admin/login/", "/admin/users/user/"])
def test_stranger_at_the_admin_signs_in_on_the_shops_page_and_returns(page):
    client, user = Client(), make_staff(is_superuser=True)

    admin_page = client.get(page, follow=True)
    assert admin_page.redirect_chain[-1][0].startswith(LOGIN)
    back = admin_page.context["redirect_field_value"]
    response = client.post(
        LOGIN, {"login": user.email, "password": "password", "next": back}, follow=True
    )

    wanted = "/admin/" if page == "/admin/login/" else page
    assert response.request["PATH_INFO"] == wanted
    assert response.status_code == 200


def test_shopper_at_the_admin_is_refused_without_a_redirect_loop():
    client = signed_in(make_shopper())

    response = client.get("/admin/", follow=True)

    assert response.status_code == 403
    assert "You can’t open this page" in response.text
    assert len(response.redirect_chain) <= 1


def test_password_of_staff_is_changed_at_the_shops_page():
    client = signed_in(make_staff())

    assert client.get("/admin/password_change/").url == "/users/password/change/"


def test_admins_own_form_signs_nobody_in():
    boss = make_staff(is_superuser=True)
    form = {"username": boss.username, "password": "password", "next": "/admin/"}
    stranger, colleague = Client(), signed_in(make_staff())

    assert stranger.post("/admin/login/", form).url.startswith(LOGIN)
    assert "_auth_user_id" not in stranger.session
    assert colleague.post("/admin/login/", form).status_code == 405
    assert colleague.session["_auth_user_id"] != str(boss.pk)


def test_staff_with_a_second_factor_get_in_by_it_and_not_without(required):
    user = make_staff(is_superuser=True)
    secret = generate_totp_secret()
    give_factor(user, secret=secret)
    client = Client()
    client.post(LOGIN, {"login": user.email, "password": "password", "next": "/admin/"})
    assert client.get("/admin/").status_code == 302
    assert "_auth_user_id" not in client.session

    wrong = client.post("/users/2fa/authenticate/", {"code": "000000"})
    assert wrong.status_code == 200
    right = client.post("/users/2fa/authenticate/", {"code": code_for(secret)})

    assert right.url == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_codes_of_the_second_factor_cannot_be_guessed():
    user = make_staff()
    give_factor(user, secret=generate_totp_secret())
    client = Client()
    client.post(LOGIN, {"login": user.email, "password": "password"})

    said = [
        client.post("/users/2fa/authenticate/", {"code": f"{n:06}"}).text
        for n in range(6)
    ]

    assert "Too many failed" not in said[4]
    assert "Too many failed" in said[5]
