"""Who a session stands for, what they may watch, and whether that is still so."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from project import second_factors
from project.second_factors import Proof
from project.sessions import SessionStore

BASKET_TOKEN = "basket_token"  # its place in the session

# The permissions that some topic asks for: no more of a person is looked up.
STAFF_RIGHTS = ("products.view_stock", "products.view_order")


class Owner(NamedTuple):
    """Whose basket: a user, else the bearer of a session's token, else nobody yet."""

    user_id: int | None = None
    token: str | None = None

    @property
    def key(self) -> str:
        return f"u{self.user_id}" if self.user_id else f"t{self.token}"

    def __bool__(self) -> bool:
        return bool(self.user_id or self.token)


NOBODY = Owner()


class Viewer(NamedTuple):
    """Who watches: whose basket is theirs, and which staff topics are open to them."""

    owner: Owner = NOBODY
    rights: frozenset[str] = frozenset()


STRANGER = Viewer()


class Standing(Enum):
    """What has become of the account that a session names."""

    NONE = "it names none"
    GOOD = "signed in"
    DEACTIVATED = "the account is not active, or gone"
    PASSWORD_CHANGED = "the session is from before a change of password"


class Account(NamedTuple):
    """What of a session's account decides; None each if it names none. In the order
    of SESSIONS."""

    id: int | None
    password: str | None  # its hash
    is_superuser: bool | None
    is_staff: bool | None
    is_active: bool | None


# Sessions that have not expired, and their accounts. Written out: Django takes half a
# millisecond to put it together each time, and who opens a page asks for it.
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


class Identity(NamedTuple):
    """What a session stood for at one moment."""

    viewer: Viewer
    expires: datetime
    standing: Standing
    account: Account


class Ended(Enum):
    """Why a session no longer stands for what it stood for."""

    SESSION_ENDED = "signed out, signed out elsewhere, or expired"
    PASSWORD_CHANGED = "the password is another"
    DEACTIVATED = "the account is not active any more"
    RIGHTS_LOST = "what was open to them is closed"
    RIGHTS_GAINED = "what was closed to them is open"


def owner_of(session: Mapping[str, Any], user: AbstractBaseUser) -> Owner:
    """The owner of the basket in a request's session."""
    if user.is_authenticated:
        return Owner(user_id=user.pk)
    return Owner(token=session.get(BASKET_TOKEN))


def identify(session_keys: Iterable[str]) -> dict[str, Identity]:
    """What sessions stand for now; those that do not exist (any more) are left out.

    One query however many they are. If there are staff among them, one for their second
    factors, where they are asked for, and one for each of `STAFF_RIGHTS`. Nothing is
    written, whatever is found.
    """
    decode = SessionStore().decode
    sessions = {
        key: (expires, decode(data), Account(*account))
        for key, expires, data, *account in _rows(IDENTITIES, session_keys)
    }
    bearer = get_user_model()()
    found = {key: _identity(bearer, *row) for key, row in sessions.items()}
    staff = {
        key: (sessions[key][1], identity.account.id)
        for key, identity in found.items()
        if identity.standing is Standing.GOOD and identity.account.is_staff
    }
    for key, rights in _rights(staff).items():
        viewer = found[key].viewer._replace(rights=rights)
        found[key] = found[key]._replace(viewer=viewer)
    return found


def _identity(
    bearer: AbstractBaseUser,
    expires: datetime,
    data: Mapping[str, Any],
    account: Account,
) -> Identity:
    """Without the rights of staff."""
    standing = _standing(bearer, data, account)
    is_good = standing is Standing.GOOD
    owner = (
        Owner(user_id=account.id) if is_good else Owner(token=data.get(BASKET_TOKEN))
    )
    return Identity(Viewer(owner), expires, standing, account)


def doubtful(identities: Mapping[str, Identity]) -> set[str]:
    """Those session keys of `identities` that may stand for something else by now.

    One query however many they are. Staff are always among them: what they may do
    hangs on groups, and on their second factor, too.
    """
    rows = _rows(ACCOUNTS, identities)
    now = {key: Account(*account) for key, *account in rows}
    return {
        key
        for key, identity in identities.items()
        if identity.account.is_staff or identity.account != now.get(key)
    }


def compare(before: Identity, now: Identity | None) -> Ended | None:
    """Why whoever was let in as `before` must go, or come back as what they are now;
    None if they may stay."""
    if now is None:
        return Ended.SESSION_ENDED
    if before.viewer.owner.user_id != now.viewer.owner.user_id:
        return {
            Standing.DEACTIVATED: Ended.DEACTIVATED,
            Standing.PASSWORD_CHANGED: Ended.PASSWORD_CHANGED,
        }.get(now.standing, Ended.SESSION_ENDED)
    if before.viewer.rights - now.viewer.rights:
        return Ended.RIGHTS_LOST
    if now.viewer.rights - before.viewer.rights:
        return Ended.RIGHTS_GAINED
    return None


def _rows(query: str, session_keys: Iterable[str]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query, [list(session_keys), timezone.now()])
        return cursor.fetchall()


def _standing(
    bearer: AbstractBaseUser, data: Mapping[str, Any], account: Account
) -> Standing:
    """As `django.contrib.auth.get_user`, which tells no reasons and ends sessions.

    `bearer` takes on each account's password to say what sessions are signed with:
    a model instance for each would take 9 µs more.
    """
    if SESSION_KEY not in data:
        return Standing.NONE
    if data[SESSION_KEY] != str(account.id) or not account.is_active:
        return Standing.DEACTIVATED
    bearer.password = account.password
    signed = data.get(HASH_SESSION_KEY, "")
    hashes = [bearer.get_session_auth_hash(), *bearer.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(signed, expected) for expected in hashes):
        return Standing.PASSWORD_CHANGED
    return Standing.GOOD


def _rights(
    staff: Mapping[str, tuple[Mapping[str, Any], int]],
) -> dict[str, frozenset[str]]:
    """The rights of sessions of active staff: by their keys, what is in them and the
    account. None where a second factor is asked of staff and the session has shown
    none. (`has_perm` would take two queries for each account.)"""
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
