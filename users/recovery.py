"""The recovery of an account: a new password undoes what an intruder has prepared.

A pending change of the email address would hand the account to the person who requested
the change. So every new password withdraws it, whichever way the password is replaced.
Other ways in (second factors, passkeys, connected accounts) may belong to the owner, so
they are listed, and the owner can remove them.
"""

from datetime import datetime
from typing import NamedTuple

from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.socialaccount.internal.flows import connect
from allauth.socialaccount.models import SocialAccount, SocialApp
from allauth.usersessions.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from users.models import Address, User


class WayIn(NamedTuple):
    """A way to sign in besides the password, or a second factor."""

    name: str
    since: datetime
    last_used: datetime | None
    page: str  # the page where its owner removes it
    account: int | None = None  # the primary key of a connected account
    is_replaced: bool = False  # true for recovery codes: new codes replace them


@transaction.atomic
def after_new_password(user: User) -> None:
    """Withdraw pending changes of the user's email address, and end their sessions.

    The links of those changes become invalid. If the user makes the present request,
    its session goes on.
    """
    withdraw_changes(user)
    end_sessions(user, but=_own_session(user))


def withdraw_changes(user: User) -> None:
    """Delete all addresses of `user` but the present one."""
    EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()


def end_sessions(user: User, *, but: str | None = None) -> None:
    """End all sessions of `user` but the one with the key `but`."""
    others = UserSession.objects.filter(user_id=user.pk).exclude(session_key=but)
    get_adapter().end_sessions(list(others))


def _own_session(user: User) -> str | None:
    request = context.request
    if request is None or request.user.pk != user.pk:
        return None
    return request.session.session_key


@transaction.atomic
def forget_strangers(user: User) -> None:
    """Delete what a stranger may have left in an account with an unverified address.

    Call this after a reset by mail, which proves who owns the address. A stranger may
    have signed up with it first. This deletes connected accounts, second factors and
    postal addresses, unless the address was verified before.
    """
    if User.objects.get(pk=user.pk).is_verified:
        return
    SocialAccount.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    Address.objects.filter(user=user).delete()


def disconnect(request: HttpRequest, account: SocialAccount) -> None:
    """Remove a connected account. Raises `ValidationError` for the last way in."""
    connect.validate_disconnect(request, account)
    try:
        connect.disconnect(request, account)
    except SocialApp.DoesNotExist:  # allauth needs the provider's name for its mail
        account.delete()


# --- Other ways in ----------------------------------------------------------------


def ways_in(user: User) -> list[WayIn]:
    """Return the ways into an account besides the password, the newest first."""
    ways = [*_factors(user), *_connected_accounts(user)]
    return sorted(ways, key=lambda way: way.since, reverse=True)


def _factors(user: User) -> list[WayIn]:
    kinds = {
        Authenticator.Type.TOTP: (_("Authenticator app"), "mfa_deactivate_totp"),
        Authenticator.Type.RECOVERY_CODES: (
            _("Recovery codes"),
            "mfa_generate_recovery_codes",
        ),
    }
    ways = []
    for factor in Authenticator.objects.filter(user=user):
        if factor.type == Authenticator.Type.WEBAUTHN:
            name = _("Passkey “%(name)s”") % {"name": factor.wrap().name}
            page = reverse("mfa_remove_webauthn", args=[factor.pk])
        else:
            name, view = kinds[factor.type]
            page = reverse(view)
        is_codes = factor.type == Authenticator.Type.RECOVERY_CODES
        way = WayIn(name, factor.created_at, factor.last_used_at, page)
        ways.append(way._replace(is_replaced=is_codes))
    return ways


def _connected_accounts(user: User) -> list[WayIn]:
    page = reverse("socialaccount_connections")
    return [
        WayIn(
            _("Connected %(provider)s account") % {"provider": _provider(account)},
            account.date_joined,
            account.last_login,
            page,
            account.pk,
        )
        for account in SocialAccount.objects.filter(user=user)
    ]


def _provider(account: SocialAccount) -> str:
    """Return the provider's name; its key if the shop no longer offers it."""
    try:
        return account.get_provider().name
    except SocialApp.DoesNotExist:
        return account.provider
