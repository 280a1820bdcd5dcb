"""The list of sessions, and signing out of them."""

import pytest
from allauth.usersessions.models import UserSession

from tests.support.factories import make_shopper
from users import sessions
from users.adapters import UNKNOWN_IP
from users.models import Session

pytestmark = pytest.mark.django_db

SESSIONS, PROFILE = "/users/sessions/", "/users/profile/"
MOZILLA = "Mozilla/5.0"
FIREFOX = (
    f"{MOZILLA} (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
)
CHROME = (
    f"{MOZILLA} (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/140.0.0.0 Mobile Safari/537.36"
)
SAFARI = (
    f"{MOZILLA} (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.6 Safari/605.1.15"
)
IPHONE = (
    f"{MOZILLA} (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1"
)


def is_in(client) -> bool:
    return client.get(PROFILE).status_code == 200


def key(client) -> str:
    return client.cookies["sessionid"].value


def test_sessions_are_listed_with_their_browser_in_words(client_of):
    anna = make_shopper()
    here = client_of(anna, user_agent=FIREFOX)
    client_of(anna, user_agent=IPHONE)
    client_of(make_shopper(), user_agent=SAFARI)

    page = here.get(SESSIONS)

    listed = page.context["sessions"]
    assert [s.device for s in listed] == ["Firefox on Windows", "Chrome on iPhone"]
    assert [s.address for s in listed] == ["127.0.0.1"] * 2
    assert listed[0].session_key == key(here)
    assert "Firefox on Windows" in page.text and "Chrome on iPhone" in page.text
    assert "macOS" not in page.text


@pytest.mark.parametrize(
    "user_agent, words",
    [
        (FIREFOX, "Firefox on Windows"),
        (CHROME, "Chrome on Android"),
        (SAFARI, "Safari on macOS"),
        (IPHONE, "Chrome on iPhone"),
        (f"{CHROME} EdgA/140.0", "Edge on Android"),
        (f"{SAFARI} OPR/120.0", "Opera on macOS"),
        (f"{MOZILLA} (X11; CrOS x86_64 1) Chrome/140 Safari/537", "Chrome on ChromeOS"),
        ("curl/8.14 (Linux)", "Unknown browser on Linux"),
        ("curl/8.14", "Unknown browser"),
        ("", "Unknown browser"),
    ],
)
def test_device_says_a_user_agent_in_words(user_agent, words):
    assert sessions.device(user_agent) == words


def test_address_that_was_not_known_is_left_out():
    assert sessions.address(UNKNOWN_IP) == ""
    assert sessions.address("203.0.113.7") == "203.0.113.7"


def test_sign_out_there_ends_that_session_alone(client_of):
    anna = make_shopper()
    here, phone, tablet = client_of(anna), client_of(anna), client_of(anna)
    there = UserSession.objects.get(session_key=key(phone))

    response = here.post(SESSIONS, {"session": there.pk})

    assert response.url == SESSIONS
    assert not is_in(phone)
    assert is_in(here) and is_in(tablet)
    assert not Session.objects.filter(pk=key(phone)).exists()
    assert not UserSession.objects.filter(pk=there.pk).exists()


def test_sign_out_everywhere_else_leaves_this_session(client_of):
    anna = make_shopper()
    here, phone, bens = client_of(anna), client_of(anna), client_of(make_shopper())

    here.post(SESSIONS)

    assert is_in(here) and is_in(bens) and not is_in(phone)
    assert UserSession.objects.get(user=anna).session_key == key(here)


def test_sign_out_there_of_somebody_else_ends_nothing(client_of):
    here, bens = client_of(make_shopper()), client_of(make_shopper())
    theirs = UserSession.objects.get(session_key=key(bens))

    page = here.post(SESSIONS, {"session": theirs.pk})

    assert page.context["form"].errors["session"] == ["That session has already ended."]
    assert is_in(bens)


def test_sign_out_there_of_this_session_is_not_that_button(client_of):
    here = client_of(make_shopper())

    here.post(SESSIONS, {"session": UserSession.objects.get().pk})

    assert is_in(here)


def test_sessions_require_a_sign_in(client):
    assert client.get(SESSIONS).url == f"/users/login/?next={SESSIONS}"
