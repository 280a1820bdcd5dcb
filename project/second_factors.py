"""Whether a session has proven a second factor, as STAFF_MFA_REQUIRED asks of staff.

An account that has a factor is not enough: a session from before it was set up, or a
stolen one, has shown no more than a password. allauth notes in the session what it was
opened with and what was confirmed in it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from django.apps import apps

# Where allauth notes them, and for whom.
RECORDS, RECORDS_OF = (
    "account_authentication_methods",
    "account_authentication_methods_user",
)
FACTORS = {"totp", "webauthn"}  # recovery codes alone are none


class Proof(Enum):
    NONE = "the account has no second factor"
    MISSING = "it has, and this session has not shown one"
    GIVEN = "this session has shown one that the account still has"


def proof(session: Mapping[str, Any], user_id: int) -> Proof:
    """Return the second factors that this session has proven. One query."""
    return proofs({"": (session, user_id)})[""]


def proofs(sessions: Mapping[str, tuple[Mapping[str, Any], int]]) -> dict[str, Proof]:
    """The same for each of many sessions with their accounts. One query for all."""
    ids = {user_id for _, user_id in sessions.values()}
    factors = apps.get_model("mfa", "Authenticator").objects.filter(user_id__in=ids)
    kinds: dict[int, dict[int, str]] = {user_id: {} for user_id in ids}
    for user_id, pk, kind in factors.values_list("user_id", "pk", "type"):
        kinds[user_id][pk] = kind
    return {
        key: _proof(session, user_id, kinds[user_id])
        for key, (session, user_id) in sessions.items()
    }


def _proof(session: Mapping[str, Any], user_id: int, kinds: Mapping[int, str]) -> Proof:
    """In: the account's factors, as their keys and kinds."""
    if FACTORS.isdisjoint(kinds.values()):
        return Proof.NONE
    return Proof.MISSING if _shown(session, user_id).isdisjoint(kinds) else Proof.GIVEN


def _shown(session: Mapping[str, Any], user_id: int) -> set[int]:
    """The keys of the factors that were used in the session."""
    if session.get(RECORDS_OF) != str(user_id):
        return set()
    records = session.get(RECORDS) or []
    used = (record for record in records if record.get("method") == "mfa")
    return {record["id"] for record in used if "id" in record}
