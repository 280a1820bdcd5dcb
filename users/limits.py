"""Who may try how often to sign in. The figures are settings, ACCOUNT_RATE_LIMITS."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import ratelimit
from allauth.core.internal.ratelimit import get_ip, truncate_ip
from allauth.usersessions.models import UserSession
from django.db.models import Q
from django.http import HttpRequest

from project.email_addresses import mailbox


class SignInLimits(DefaultAccountAdapter):
    """Guesses are counted for a login at an address, so that failing on purpose keeps
    nobody out who is elsewhere. A login that is guessed from many addresses takes no
    more of it from any but those where its owner is signed in already."""

    def pre_authenticate(self, request: HttpRequest, **credentials) -> None:
        """Raises `ValidationError` for one try too many, right or wrong."""
        super().pre_authenticate(request, **credentials)
        login = _login(credentials)
        is_free = ratelimit.consume(request, action="guess", key=login, dry_run=True)
        if not is_free and not _is_at_home(request, login):
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials) -> None:
        super().authentication_failed(request, **credentials)
        ratelimit.consume(request, action="guess", key=_login(credentials))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials) -> str:
        return f"{_login(credentials)} {get_ip(request)}"

    def _delete_login_attempts_cached_email(
        self, request: HttpRequest, **credentials
    ) -> None:
        """After a new password, which its owner got by mail."""
        super()._delete_login_attempts_cached_email(request, **credentials)
        ratelimit.clear(request, action="guess", key=_login(credentials))


def may_mail(request: HttpRequest, email: str) -> bool:
    """Whether another mail of nobody's asking may go to the mailbox of `email`. allauth
    counts each address by itself; ann+1@… and ann+2@… are one mailbox."""
    box = mailbox(email)
    if box == email.lower():
        return True  # counted by allauth, under the same name
    return ratelimit.consume(request, action="confirm_email", key=box)


def _login(credentials: dict) -> str:
    return (credentials.get("email") or credentials.get("username") or "").lower()


def _is_at_home(request: HttpRequest, login: str) -> bool:
    """Whether the login's owner is signed in at this address, too."""
    theirs = Q(user__email=login) | Q(user__username__iexact=login)
    addresses = UserSession.objects.filter(theirs).values_list("ip", flat=True)
    return get_ip(request) in map(truncate_ip, addresses)
