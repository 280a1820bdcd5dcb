"""The browsers in which a person is signed in."""

from allauth.usersessions.internal.flows import sessions as flows
from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from users.adapters import UNKNOWN_IP
from users.models import User

# What a user agent has in it, and what that is called. The first that fits counts:
# nearly every browser also says that it is Chrome and Safari.
BROWSERS = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
]
SYSTEMS = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
]


def device(user_agent: str) -> str:
    """The browser and the system in words, like "Firefox on Windows"."""
    browser = _named(user_agent, BROWSERS) or _("Unknown browser")
    system = _named(user_agent, SYSTEMS)
    if not system:
        return browser
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}


def _named(user_agent: str, names: list[tuple[str, str]]) -> str:
    return next((name for mark, name in names if mark in user_agent), "")


def address(ip: str) -> str:
    """Its network address, or nothing where none was known."""
    return "" if ip == UNKNOWN_IP else ip


def hold(request: HttpRequest) -> bool:
    """Lock the account of `request.user` until the transaction ends, and say whether
    they are still signed in: a new password may have ended the session since the
    request began, and what such a request writes would outlive it."""
    people = User.objects.select_for_update(no_key=True)
    user = people.filter(pk=request.user.pk).first()
    signed = request.session.get(HASH_SESSION_KEY, "")
    return user is not None and constant_time_compare(
        signed, user.get_session_auth_hash()
    )


def end_others(request: HttpRequest) -> None:
    """Sign `request.user` out everywhere but here."""
    flows.end_other_sessions(request, request.user)


def end_all(request: HttpRequest, user: User) -> None:
    """Sign `user` out everywhere, here too."""
    flows.end_sessions(request, list(UserSession.objects.filter(user_id=user.pk)))
