"""Rate limits for signing in. Their figures are in `ACCOUNT_RATE_LIMITS`."""

import unicodedata
from functools import partial

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import ratelimit
from allauth.core.internal.ratelimit import (
    RateLimitUsage,
    consume,
    get_ip,
    truncate_ip,
)
from allauth.usersessions.models import UserSession
from django.db.models import Q
from django.http import HttpRequest

from project.mail.addresses import mailbox
from users.models import User

ACCOUNT = "account "  # prefix of the keys of accounts


class SignInLimits(DefaultAccountAdapter):
    """Counts wrong passwords for an account and a network address together.

    All names of an account count together. Because the address counts too, nobody can
    lock out an owner who is elsewhere. If wrong passwords for an account come from many
    addresses, only addresses where its owner is signed in may still try.
    """

    def pre_authenticate(self, request: HttpRequest, **credentials) -> None:
        """Raise `ValidationError` if there were too many attempts."""
        self._keys = _accounts(credentials)
        self._login_failed_rl_usage = RateLimitUsage(
            []
        )  # allauth gives it back after a success
        for key in self._keys:
            at_address = f"{key} {get_ip(request)}"
            usage = _consume(request, action="login_failed", key=at_address)
            is_free = ratelimit.consume(request, action="guess", key=key, dry_run=True)
            if not usage or not (is_free or _is_signed_in_there(request, key)):
                raise self.validation_error("too_many_login_attempts")
            self._login_failed_rl_usage.usage += usage.usage

    def authentication_failed(self, request: HttpRequest, **credentials) -> None:
        super().authentication_failed(request, **credentials)
        for key in self._keys:
            ratelimit.consume(request, action="guess", key=key)

    def _delete_login_attempts_cached_email(
        self, request: HttpRequest, **credentials
    ) -> None:
        """Clear the counts of an account whose owner has reset the password by mail."""
        for key in _accounts(credentials):
            at_address = f"{key} {get_ip(request)}"
            ratelimit.clear(request, action="login_failed", key=at_address)
            ratelimit.clear(request, action="guess", key=key)


def may_mail(request: HttpRequest, email: str) -> bool:
    """Return whether the mailbox of `email` may get another mail.

    Anybody can cause these mails. allauth counts each address, but ann+1@… and
    ann+2@… are one mailbox.
    """
    box = mailbox(email)
    if box == email.lower():
        return True  # allauth counts it under the same name
    return ratelimit.consume(request, action="confirm_email", key=box)


_consume = partial(consume, app="allauth.account")  # returns what can be given back


def _accounts(credentials: dict) -> list[str]:
    """Return the keys under which attempts with these credentials count.

    These are all accounts that a name could mean, or the name itself if there is none.
    """
    values = (credentials.get(kind) for kind in ("username", "email"))
    names = {name for name in values if name}
    if not names:
        return []
    matches = Q()
    for name in names:
        matches |= Q(username__iexact=name) | Q(email=name.lower())
        matches |= Q(emailaddress__email=name.lower())
    users = User.objects.filter(matches).order_by("pk").distinct()
    accounts = [f"{ACCOUNT}{user.pk}" for user in users]
    return accounts or sorted(f"nobody {_normal(name)}" for name in names)


def _normal(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _is_signed_in_there(request: HttpRequest, key: str) -> bool:
    """Return whether the account is signed in at the request's address."""
    if not key.startswith(ACCOUNT):
        return False
    sessions = UserSession.objects.filter(user=key.removeprefix(ACCOUNT))
    addresses = sessions.values_list("ip", flat=True)
    return get_ip(request) in map(truncate_ip, addresses)
