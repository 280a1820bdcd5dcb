"""The session's cookie in a handshake."""

from django.conf import settings
from django.http.cookie import parse_cookie

from realtime.asgi import Scope


def session_key_of(scope: Scope) -> str | None:
    """The session's key in a scope's Cookie header."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            return session_key_from(value.decode("latin1"))
    return None


def session_key_from(header: str) -> str | None:
    """The session's key in a Cookie header; None if it has none that can be one.

    Parsed as Django parses it for pages: a malformed cookie beside it hides nothing.
    """
    key = parse_cookie(header).get(settings.SESSION_COOKIE_NAME)
    # A quoted cookie can hold any character, and PostgreSQL takes no NUL.
    return key if key and key.isprintable() else None
