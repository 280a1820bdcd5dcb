"""The sessions of people who are signed in."""

from allauth.usersessions.internal.flows import sessions as flows
from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from users.adapters import UNKNOWN_IP
from users.models import User
from users.requests import user_of

# Parts of user agents, and names for them. The first match counts, because nearly every
# browser also claims to be Chrome and Safari.
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
    """Return the browser and the system in words, such as "Firefox on Windows"."""
    browser = _named(user_agent, BROWSERS) or _("Unknown browser")
    system = _named(user_agent, SYSTEMS)
    if not system:
        return browser
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}


def _named(user_agent: str, names: list[tuple[str, str]]) -> str:
    return next((name for mark, name in names if mark in user_agent), "")


def address(ip: str) -> str:
    """Return a session's network address; "" if it was unknown."""
    return "" if ip == UNKNOWN_IP else ip


def lock_account(request: HttpRequest) -> bool:
    """Lock the user's account until the end of the transaction.

    Return whether the user is still signed in. A new password may have ended the
    session since the request began; then the request must not write anything.
    """
    users = User.objects.select_for_update(no_key=True)
    user = users.filter(pk=user_of(request).pk).first()
    session_hash = request.session.get(HASH_SESSION_KEY, "")
    return user is not None and constant_time_compare(
        session_hash, user.get_session_auth_hash()
    )


def end_others(request: HttpRequest) -> None:
    """End all sessions of `request.user` but this one."""
    flows.end_other_sessions(request, request.user)


def end_all(request: HttpRequest, user: User) -> None:
    """End all sessions of `user`, also this one."""
    flows.end_sessions(request, list(UserSession.objects.filter(user_id=user.pk)))
