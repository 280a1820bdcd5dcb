"""Looks up which viewer a session stands for, and whether it still does."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from project import second_factors
from project.second_factors import Proof
from project.sessions import SessionStore
from realtime.protocol import Close
from realtime.registry import Viewer

BASKET_TOKEN = "basket_token"  # its place in the session

# The permissions that topics need. No others are looked up.
STAFF_RIGHTS = ("products.view_stock", "products.view_order")


class Owner(NamedTuple):
    """Whose basket it is: an account's, or else that of a session with this token.
    False if neither: such a visitor has no basket yet."""

    user_id: int | None = None
    token: str | None = None

    @property
    def key(self) -> str:
        """How keys of personal topics end for this owner; empty for nobody."""
        if self.user_id:
            return f"u{self.user_id}"
        return f"t{self.token}" if self.token else ""

    def __bool__(self) -> bool:
        return bool(self.user_id or self.token)


NOBODY = Owner()


class Standing(Enum):
    """Whether a session signs its viewer in to the account that it names."""

    NONE = "it names no account"
    GOOD = "it does"
    DEACTIVATED = "no: the account is not active, or it is deleted"
    PASSWORD_CHANGED = "no: the password was changed since"


class Account(NamedTuple):
    """The columns of a session's account that decide what its viewer may watch, in the
    order of SESSIONS. All are None if the session names no account."""

    id: int | None
    password: str | None  # its hash
    is_superuser: bool | None
    is_staff: bool | None
    is_active: bool | None


# Sessions that have not expired, and their accounts. Written as SQL because Django
# takes half a millisecond to build it, for each page that opens.
SESSIONS = """
SELECT session.session_key, {more}
       session.user_id, account.password,
       account.is_superuser, account.is_staff, account.is_active
FROM users_session session
LEFT JOIN users_user account ON account.id = session.user_id
WHERE session.session_key = ANY(%s) AND session.expire_date > %s
"""
ACCOUNTS = SESSIONS.format(more="")
IDENTITIES = SESSIONS.format(more="session.expire_date, session.session_data,")


class Evidence(NamedTuple):
    """What a session's account was when the session was looked up."""

    standing: Standing
    account: Account


def owner_of(
    session: Mapping[str, Any], user: AbstractBaseUser | AnonymousUser
) -> Owner:
    """The owner of the basket in a request's session."""
    if user.is_authenticated:
        return Owner(user_id=user.pk)
    return Owner(token=session.get(BASKET_TOKEN))


def identify(session_keys: Iterable[str]) -> dict[str, Viewer]:
    """See `Registry.identify`.

    One query for any number of sessions. Sessions of staff add one for their second
    factors, where staff need one, and one for each of `STAFF_RIGHTS`. Nothing is
    written.
    """
    decode = SessionStore().decode
    sessions = {
        key: (expires, decode(data), Account(*account))
        for key, expires, data, *account in _rows(IDENTITIES, session_keys)
    }
    bearer = get_user_model()()
    viewers = {key: _viewer(bearer, *row) for key, row in sessions.items()}
    staff = {
        key: (sessions[key][1], viewer.user_id)
        for key, viewer in viewers.items()
        if viewer.user_id is not None and viewer.evidence.account.is_staff
    }
    for key, rights in _rights(staff).items():
        viewers[key] = viewers[key]._replace(rights=rights)
    return viewers


def _viewer(
    bearer: AbstractBaseUser,
    expires: datetime,
    data: Mapping[str, Any],
    account: Account,
) -> Viewer:
    """The viewer of a session, without the rights of staff."""
    evidence = Evidence(_standing(bearer, data, account), account)
    if evidence.standing is Standing.GOOD:
        owner, user_id = Owner(user_id=account.id), account.id
    else:
        owner, user_id = Owner(token=data.get(BASKET_TOKEN)), None
    return Viewer(owner.key, frozenset(), user_id, expires, evidence)


def doubtful(viewers: Mapping[str, Viewer]) -> set[str]:
    """See `Registry.doubtful`. One query for any number of sessions.

    Includes all staff, as their rights depend on groups and second factors too.
    """
    rows = _rows(ACCOUNTS, viewers)
    now = {key: Account(*account) for key, *account in rows}
    return {
        key
        for key, viewer in viewers.items()
        if viewer.evidence.account.is_staff or viewer.evidence.account != now.get(key)
    }


def compare(before: Viewer, now: Viewer | None) -> Close | None:
    """See `Registry.compare`."""
    if now is None:
        return Close.SESSION_ENDED
    if before.user_id != now.user_id:
        return {
            Standing.DEACTIVATED: Close.DEACTIVATED,
            Standing.PASSWORD_CHANGED: Close.PASSWORD_CHANGED,
        }.get(now.evidence.standing, Close.SESSION_ENDED)
    if before.rights - now.rights:
        return Close.RIGHTS_LOST
    if now.rights - before.rights:
        return Close.RIGHTS_GAINED
    return None


def _rows(query: str, session_keys: Iterable[str]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, [list(session_keys), timezone.now()])
        return cursor.fetchall()


def _standing(
    bearer: AbstractBaseUser, data: Mapping[str, Any], account: Account
) -> Standing:
    """Decide as `django.contrib.auth.get_user` does. That one gives no reason, and ends
    sessions.

    `bearer` is a user whose password is set to each account's in turn, to compute what
    sessions are signed with. A model instance for each account would take 9 µs more.
    """
    if SESSION_KEY not in data:
        return Standing.NONE
    if data[SESSION_KEY] != str(account.id) or not account.is_active:
        return Standing.DEACTIVATED
    bearer.password = account.password or ""
    signed = data.get(HASH_SESSION_KEY, "")
    hashes = [bearer.get_session_auth_hash(), *bearer.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(signed, expected) for expected in hashes):
        return Standing.PASSWORD_CHANGED
    return Standing.GOOD


def _rights(
    staff: Mapping[str, tuple[Mapping[str, Any], int]],
) -> dict[str, frozenset[str]]:
    """The rights of active staff by session key. `staff` has each session's data and
    account. Where staff need a second factor, sessions without one have no rights.
    (`has_perm` would take two queries for each account.)"""
    if settings.STAFF_MFA_REQUIRED and staff:
        given = second_factors.proofs(staff)
        staff = {key: row for key, row in staff.items() if given[key] is Proof.GIVEN}
    if not staff:
        return {}
    ids = {user_id for _, user_id in staff.values()}
    users = get_user_model().objects
    holders = {
        right: set(
            users.with_perm(right).filter(pk__in=ids).values_list("pk", flat=True)
        )
        for right in STAFF_RIGHTS
    }
    return {
        key: frozenset(right for right in STAFF_RIGHTS if user_id in holders[right])
        for key, (_, user_id) in staff.items()
    }
