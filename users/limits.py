"""Who may try how often to sign in. The figures are settings, ACCOUNT_RATE_LIMITS."""

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

ACCOUNT = "account "  # before the key of one


class SignInLimits(DefaultAccountAdapter):
    """Guesses are counted for an account at an address, whichever of its names they are
    made with, so that failing on purpose keeps nobody out who is elsewhere. An account
    that is guessed at from many addresses takes no more of it from any but those where
    its owner is signed in already."""

    def pre_authenticate(self, request: HttpRequest, **credentials) -> None:
        """Raises `ValidationError` for one try too many, right or wrong."""
        self._guessed = _accounts(credentials)
        self._login_failed_rl_usage = RateLimitUsage([])  # given back after a success
        for key in self._guessed:
            at_address = f"{key} {get_ip(request)}"
            usage = _consume(request, action="login_failed", key=at_address)
            is_free = ratelimit.consume(request, action="guess", key=key, dry_run=True)
            if not usage or not (is_free or _is_at_home(request, key)):
                raise self.validation_error("too_many_login_attempts")
            self._login_failed_rl_usage.usage += usage.usage

    def authentication_failed(self, request: HttpRequest, **credentials) -> None:
        super().authentication_failed(request, **credentials)
        for key in self._guessed:
            ratelimit.consume(request, action="guess", key=key)

    def _delete_login_attempts_cached_email(
        self, request: HttpRequest, **credentials
    ) -> None:
        """After a new password, which its owner got by mail."""
        for key in _accounts(credentials):
            at_address = f"{key} {get_ip(request)}"
            ratelimit.clear(request, action="login_failed", key=at_address)
            ratelimit.clear(request, action="guess", key=key)


def may_mail(request: HttpRequest, email: str) -> bool:
    """Whether another mail of nobody's asking may go to the mailbox of `email`. allauth
    counts each address by itself; ann+1@… and ann+2@… are one mailbox."""
    box = mailbox(email)
    if box == email.lower():
        return True  # counted by allauth, under the same name
    return ratelimit.consume(request, action="confirm_email", key=box)


_consume = partial(consume, app="allauth.account")  # tells what to give back


def _accounts(credentials: dict) -> list[str]:
    """What guesses with these credentials count for: every account that one of the
    names could mean, however it is written, else the name that nobody has."""
    given = (credentials.get(kind) for kind in ("username", "email"))
    names = {name for name in given if name}
    could_be = Q()
    for name in names:
        could_be |= Q(username__iexact=name) | Q(email=name.lower())
        could_be |= Q(emailaddress__email=name.lower())
    found = User.objects.filter(could_be).order_by("pk").distinct() if names else []
    accounts = [f"{ACCOUNT}{user.pk}" for user in found]
    return accounts or sorted(f"nobody {_normal(name)}" for name in names)


def _normal(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _is_at_home(request: HttpRequest, key: str) -> bool:
    """Whether the account's owner is signed in at this address, too."""
    if not key.startswith(ACCOUNT):
        return False
    theirs = UserSession.objects.filter(user=key.removeprefix(ACCOUNT))
    addresses = theirs.values_list("ip", flat=True)
    return get_ip(request) in map(truncate_ip, addresses)
