"""Rate limits: how many attempts are allowed, and that others are not affected."""

import time
from collections.abc import Iterator

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.core.cache import caches
from django.test import Client

from products.models import Waiting
from project import cache as cache_module
from tests.support.factories import make_shopper, make_variant
from tests.support.servers import Redis
from users.models import User

pytestmark = pytest.mark.django_db

LOGIN, SIGNUP, RESET = "/users/login/", "/users/signup/", "/users/password/reset/"
SENT, EMAIL = "/users/confirm-email/", "/users/email/"
TOO_MANY = "Too many failed login attempts"
HERE, ELSEWHERE = "198.51.100.1", "203.0.113.9"
PASSWORDS = {"password1": "tall ships 1813", "password2": "tall ships 1813"}


def browser(address: str = HERE) -> Client:
    return Client(REMOTE_ADDR=address)


def sign_in(login: str, password: str = "password", address: str = HERE):
    return browser(address).post(LOGIN, {"login": login, "password": password})


def is_in(response) -> bool:
    return response.status_code == 302 and response.url == "/"


def guess(login: str, times: int, address: str = HERE) -> None:
    for _time in range(times):
        assert TOO_MANY not in sign_in(login, "wrong", address).text


@pytest.fixture
def patient(settings):
    """Gives limits other figures, so that one of them shows without the others."""

    def set_to(**limits: str) -> None:
        settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | limits

    return set_to


# --- Guessing a password ----------------------------------------------------------


def test_sign_in_after_five_wrong_passwords_is_refused_even_with_the_right_one():
    user = make_shopper()
    guess(user.email, 5)

    refused = sign_in(user.email)

    assert TOO_MANY in refused.text
    assert not is_in(refused)


@pytest.fixture
def ann() -> User:
    """She has a change of address under way, too."""
    ann = make_shopper(username="Ann-Marie", email="ann@example.com")
    EmailAddress.objects.create(user=ann, email="new@example.com")
    return ann


@pytest.mark.parametrize(
    "names",
    [
        ["ann@example.com", "Ann-Marie"],
        ["ann@example.com", "new@example.com"],
        ["ann@example.com", "ANN@Example.com"],
        ["Ann-Marie", "ANN-marie"],
        ["Ann-Marie", " ann-marie "],
    ],
)
def test_sign_in_counts_guesses_for_the_account_whichever_name_they_are_made_with(
    ann, names
):
    first, second = names
    guess(first, 3)
    guess(second, 2)

    for name in names:
        assert TOO_MANY in sign_in(name).text
    assert is_in(sign_in(first, address=ELSEWHERE))


def test_account_that_many_addresses_guess_at_by_both_its_names_is_closed(ann, patient):
    patient(guess="4/h/key")
    for n, name in enumerate(["ann@example.com", "Ann-Marie"] * 2):
        guess(name, 1, f"203.0.113.{n}")

    for name in ("ann@example.com", "ANN-MARIE"):
        assert TOO_MANY in sign_in(name).text


def test_name_that_two_accounts_could_mean_counts_for_both():
    ann = make_shopper(email="ann@example.com")
    ben = make_shopper(username="ann@example.com")
    guess("ann@example.com", 5)

    for user in (ann, ben):
        assert TOO_MANY in sign_in(user.username).text
        assert TOO_MANY in sign_in(user.email).text


@pytest.mark.parametrize(
    "name, alike", [("nobody", "NOBODY"), ("Straße", "STRASSE"), ("ｎobody", "nobody")]
)
def test_name_that_nobody_has_is_counted_however_it_is_written(name, alike):
    guess(name, 3)
    guess(alike, 2)

    assert TOO_MANY in sign_in(name).text


def test_names_that_nobody_has_are_counted_apart():
    guess("nobody+1@example.com", 5)

    guess("nobody+2@example.com", 1)


def test_new_password_by_mail_opens_an_account_that_was_guessed_at_by_any_name(ann):
    from allauth.account.adapter import get_adapter
    from django.test import RequestFactory

    guess("Ann-Marie", 5)
    request = RequestFactory().post("/", REMOTE_ADDR=HERE)

    get_adapter()._delete_login_attempts_cached_email(request, email=ann.email)

    assert is_in(sign_in("Ann-Marie"))


@pytest.mark.parametrize("write", ["::ffff:{}", "::FFFF:{}", "64:ff9b::{}"])
def test_ipv4_clients_of_a_server_bound_to_ipv6_are_counted_one_by_one(write):
    here, elsewhere = write.format(HERE), write.format(ELSEWHERE)
    for n in range(20):
        guess(f"someone{n}@example.com", 1, here)

    assert TOO_MANY in sign_in(make_shopper().email, address=here).text
    assert is_in(sign_in(make_shopper().email, address=elsewhere))


def test_ipv4_client_is_the_same_however_its_address_is_written():
    user = make_shopper()
    guess(user.email, 3, HERE)
    guess(user.email, 2, f"::ffff:{HERE}")

    assert TOO_MANY in sign_in(user.email, address=HERE).text


def test_session_notes_an_ipv4_address_as_such():
    assert is_in(sign_in(make_shopper().email, address=f"::ffff:{HERE}"))

    assert UserSession.objects.get().ip == HERE


def test_sign_in_round_the_proxies_counts_for_its_own_address(settings):
    """It was an error page: there are fewer addresses in the header than proxies."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 2
    client = Client(REMOTE_ADDR=HERE, headers={"x-forwarded-for": "192.0.2.1"})
    user = make_shopper()

    response = client.post(LOGIN, {"login": user.email, "password": "password"})

    assert is_in(response)
    assert UserSession.objects.get().ip == HERE


def test_sign_in_that_somebody_else_guesses_at_works_from_ones_own_address():
    user = make_shopper()
    guess(user.email, 5, ELSEWHERE)
    assert TOO_MANY in sign_in(user.email, address=ELSEWHERE).text

    assert is_in(sign_in(user.email))


def test_sign_in_of_others_at_the_same_address_works_after_someones_typos():
    careless, other = make_shopper(), make_shopper()
    guess(careless.email, 5)

    assert is_in(sign_in(other.email))


def test_sign_in_that_is_refused_says_the_same_whether_the_account_exists():
    user = make_shopper()
    for login in (user.email, "nobody@example.com"):
        guess(login, 5)

    known, unknown = (sign_in(login) for login in (user.email, "nobody@example.com"))

    assert known.status_code == unknown.status_code
    errors = [r.context["form"].non_field_errors() for r in (known, unknown)]
    assert errors[0] == errors[1]


def test_sign_ins_that_succeed_do_not_count_as_guesses():
    user = make_shopper()

    for _time in range(7):
        assert is_in(sign_in(user.email))


def test_sign_in_counts_an_ipv6_network_as_one_address():
    user = make_shopper()
    for n in range(5):
        guess(user.email, 1, f"2001:db8:1:1::{n}")

    assert TOO_MANY in sign_in(user.email, address="2001:db8:1:1:ffff::1").text
    assert is_in(sign_in(user.email, address="2001:db8:2:1::1"))


def test_address_that_guesses_at_many_accounts_is_stopped():
    for n in range(20):
        guess(f"someone{n}@example.com", 1, ELSEWHERE)

    assert TOO_MANY in sign_in(make_shopper().email, address=ELSEWHERE).text
    assert is_in(sign_in(make_shopper().email))


def test_login_that_many_addresses_guess_at_is_closed_but_not_at_home(patient):
    patient(guess="10/h/key")
    user = make_shopper()
    assert is_in(sign_in(user.email))
    assert UserSession.objects.get().ip == HERE

    for n in range(10):
        guess(user.email, 1, f"203.0.113.{n}")

    assert TOO_MANY in sign_in(user.email, address="203.0.113.77").text
    assert is_in(sign_in(user.email))
    assert is_in(sign_in(make_shopper().email, address="203.0.113.77"))


def test_login_that_was_guessed_at_opens_again_for_who_sets_a_new_password(
    patient, mailoutbox
):
    patient(guess="3/h/key")
    user = make_shopper()
    for n in range(3):
        guess(user.email, 1, f"203.0.113.{n}")
    assert TOO_MANY in sign_in(user.email).text

    mine = browser()
    mine.post(RESET, {"email": user.email})
    link = next(w for w in mailoutbox[0].body.split() if "/password/reset/key/" in w)
    path = mine.get(link[link.index("/users/") :]).url
    mine.post(path, PASSWORDS)

    assert is_in(sign_in(user.email, PASSWORDS["password1"]))


# --- The other forms --------------------------------------------------------------


def test_flood_of_sign_ins_gets_a_page_that_says_when_to_come_back(patient):
    patient(login="2/m/ip")
    user = make_shopper()
    sign_in(user.email), sign_in(user.email)

    refused = sign_in(user.email)

    assert refused.status_code == 429
    assert refused["Retry-After"] == "300"
    assert "Too many attempts" in refused.text
    assert "masthead" in refused.text
    assert "no-store" in refused["Cache-Control"]
    assert is_in(sign_in(user.email, address=ELSEWHERE))


def test_form_pages_are_never_limited(patient):
    patient(login="1/m/ip", signup="1/m/ip", reset_password="1/m/ip")

    for address in (LOGIN, SIGNUP, RESET) * 3:
        assert browser().get(address).status_code == 200


def test_sign_ups_from_one_address_are_limited():
    for n in range(10):
        assert sign_up(f"a{n}@example.com").status_code == 302

    assert sign_up("b@example.com").status_code == 429
    assert sign_up("b@example.com", ELSEWHERE).status_code == 302
    assert not EmailAddress.objects.filter(email="c@example.com").exists()


def sign_up(email: str, address: str = HERE):
    return browser(address).post(SIGNUP, PASSWORDS | {"email": email})


def test_sign_ups_with_one_address_fill_nobodys_mailbox(mailoutbox):
    for n in range(6):
        sign_up("anna@example.com", f"203.0.113.{n}")

    assert len(mailoutbox) == 1


def test_resets_for_one_address_are_limited_and_not_for_others(mailoutbox):
    anna, bert = make_shopper(), make_shopper()
    for n in range(3):
        assert reset(anna.email, f"203.0.113.{n}").status_code == 302

    assert reset(anna.email).status_code == 429
    assert reset(bert.email).status_code == 302
    assert len(mailoutbox) == 4


def test_resets_are_limited_alike_for_addresses_without_an_account():
    for _time in range(3):
        assert reset("nobody@example.com").status_code == 302

    assert reset("nobody@example.com").status_code == 429


def test_resets_from_one_address_are_limited():
    for n in range(10):
        assert reset(f"a{n}@example.com").status_code == 302

    assert reset("b@example.com").status_code == 429
    assert reset("b@example.com", ELSEWHERE).status_code == 302


def reset(email: str, address: str = HERE):
    return browser(address).post(RESET, {"email": email})


@pytest.mark.parametrize(
    "address, form",
    [
        ("/users/reauthenticate/", {"password": "wrong"}),
        ("/users/password/change/", {"oldpassword": "wrong"} | PASSWORDS),
        (EMAIL, {"action_add": "", "email": "not an address"}),
    ],
    ids=["reauthenticate", "change password", "manage e-mail"],
)
def test_session_left_open_limits_attempts(client_of, address, form):
    anna, bert = client_of(make_shopper()), client_of(make_shopper())
    for _time in range(10):
        anna.post(address, form)

    refused = anna.post(address, form)

    assert refused.status_code == 429
    assert bert.post(address, form).status_code == 200


# --- Whose address it is ----------------------------------------------------------


def forged(n: int) -> dict[str, str]:
    return {"HTTP_X_FORWARDED_FOR": f"10.0.0.{n}", "HTTP_X_REAL_IP": f"10.0.0.{n}"}


def test_forwarded_for_is_ignored_without_a_proxy():
    user = make_shopper()
    form = {"login": user.email, "password": "wrong"}
    for n in range(5):
        browser().post(LOGIN, form, **forged(n))

    assert TOO_MANY in browser().post(LOGIN, form, **forged(99)).text


def test_forwarded_for_is_trusted_only_where_our_proxy_wrote_it(settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    user = make_shopper()
    proxy = browser("10.0.0.1")
    form = {"login": user.email, "password": "wrong"}
    for n in range(5):  # what comes before is the visitor's own word
        proxy.post(LOGIN, form, HTTP_X_FORWARDED_FOR=f"192.0.2.{n}, {ELSEWHERE}")

    right = form | {"password": "password"}
    forger = proxy.post(LOGIN, right, HTTP_X_FORWARDED_FOR=f"192.0.2.9, {ELSEWHERE}")
    other = proxy.post(LOGIN, right, HTTP_X_FORWARDED_FOR=HERE)

    assert TOO_MANY in forger.text
    assert is_in(other)


@pytest.mark.parametrize("forwarded", ["", "nonsense", "::1::", "1.2.3.4" * 100])
def test_forwarded_for_that_is_malformed_is_ignored(settings, forwarded):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    user = make_shopper()
    form = {"login": user.email, "password": "password"}

    assert is_in(browser().post(LOGIN, form, HTTP_X_FORWARDED_FOR=forwarded))


# --- Without Redis ----------------------------------------------------------------


@pytest.fixture
def server(tmp_path_factory) -> Iterator[Redis]:
    server = Redis(tmp_path_factory.mktemp("limits"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def counting(server, settings, monkeypatch) -> Redis:
    """The shop's own cache counts, on a Redis that the test may stop."""
    from project.settings import CACHES

    monkeypatch.setattr(cache_module, "PAUSE_S", 0.3)
    monkeypatch.setattr(cache_module, "_breakers", {})
    ours = CACHES["default"] | {"LOCATION": server.url}
    settings.CACHES = settings.CACHES | {"default": ours}
    return server


def seconds_of_sign_in(user) -> float:
    start = time.monotonic()
    assert is_in(sign_in(user.email))
    return time.monotonic() - start


def test_sign_in_works_while_redis_is_stopped_and_is_limited_afterwards(counting):
    user = make_shopper()
    guess(user.email, 5)
    assert TOO_MANY in sign_in(user.email).text
    counting.kill()

    assert seconds_of_sign_in(user) < 1

    counting.start()
    time.sleep(0.4)
    guess(user.email, 5)
    assert TOO_MANY in sign_in(user.email).text


def test_sign_in_works_while_redis_hangs_and_is_limited_afterwards(
    counting, monkeypatch
):
    monkeypatch.setattr(cache_module, "PAUSE_S", 60)
    user = make_shopper()
    assert is_in(sign_in(user.email))
    with counting.frozen():
        first, second = seconds_of_sign_in(user), seconds_of_sign_in(user)

    assert first < 2.5  # one time-out
    assert second < 1
    for breaker in cache_module._breakers.values():
        breaker._ask_at = 0  # the pause is over
    caches["default"].get("anything")
    assert is_in(sign_in(user.email))  # no lock of the outage is left
    guess(user.email, 5)
    assert TOO_MANY in sign_in(user.email).text


# --- One mailbox ------------------------------------------------------------------


def test_mails_to_one_mailbox_are_counted_together_however_it_is_spelt(
    patient, mailoutbox
):
    """Else ann+1@…, ann+2@… would each get a day's worth."""
    patient(confirm_email="2/d/key")

    for n in range(4):
        answer = browser().post(SIGNUP, PASSWORDS | {"email": f"ann+{n}@example.com"})
        assert answer.url == SENT, "nothing is said"

    assert len(mailoutbox) == 2


def test_tell_me_is_counted_by_mailbox(patient):
    patient(tell_me="2/d/key")
    variant = make_variant(on_hand=0)

    for n in range(3):
        form = {"email": f"ann+{n}@example.com"}
        browser().post(f"/products/{variant.pk}/tell-me/", form)

    assert Waiting.objects.count() == 2
