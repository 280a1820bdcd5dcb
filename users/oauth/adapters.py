"""Where allauth asks us about people who come from a provider."""

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.internal.emailkit import valid_email_or_none
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.internal.flows.signup import complete_social_signup
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthError, Provider
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from users import sessions
from users.forms import has_account
from users.models import User
from users.oauth import pages
from users.oauth.providers import at_home


class NotOffered(SocialApp.DoesNotExist, Http404):
    """A provider without keys: its addresses are not there."""


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """What a provider says is believed as far as it was verified; nobody gets at an
    account that exists by saying they have its address."""

    error_messages = DefaultSocialAccountAdapter.error_messages | {
        "no_password": _(
            "This is your only way to sign in. Set a password before you "
            "disconnect it."
        ),
    }

    def get_provider(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> Provider:
        """Raises `NotOffered`."""
        try:
            found = super().get_provider(request, provider, client_id)
        except SocialApp.DoesNotExist as error:
            raise NotOffered(provider) from error
        return at_home(found)

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict
    ) -> User:
        """Keep what the shop needs of a provider's answer, fit to be stored. Raises
        `OAuth2Error` for an answer about two people."""
        account = sociallogin.account
        _check_subject(account.extra_data)
        data = {name: _printable(data.get(name)) for name in KEPT}
        # A user name that reads like an address could be taken for somebody's.
        data["username"] = data["username"].partition("@")[0]
        sociallogin.email_addresses = _best(sociallogin.email_addresses)
        data["email"] = "".join(each.email for each in sociallogin.email_addresses)
        account.extra_data = {name: text for name, text in data.items() if text}
        return super().populate_user(request, sociallogin, data)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The provider has answered: what follows is written as one."""
        request.writes.begin()
        if request.user.is_authenticated and not sessions.hold(request):
            raise PermissionDenied  # signed out while the provider was asked
        if sociallogin.is_existing:
            _vouch(sociallogin)

    def is_auto_signup_allowed(
        self, request: HttpRequest, sociallogin: SocialLogin
    ) -> bool:
        """No account is taken over: whoever has one connects the provider from inside.
        Only to the owner of an address is it told that there is one."""
        is_allowed = super().is_auto_signup_allowed(request, sociallogin)
        for address in sociallogin.email_addresses:
            if has_account(address.email):
                raise ImmediateHttpResponse(
                    pages.has_account(request, sociallogin.provider, address.email)
                    if address.verified
                    else pages.link_sent(request, address.email)
                )
            if is_allowed:
                raise ImmediateHttpResponse(self.sign_up(request, sociallogin))
        return is_allowed

    def sign_up(self, request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
        """What allauth would do next, but for its question whether the address is free:
        it takes one that somebody only wishes to change to for taken."""
        try:
            get_account_adapter().clean_username(sociallogin.user.username)
        except ValidationError:
            sociallogin.user.username = ""  # one is made up
        self.save_user(request, sociallogin)
        _vouch(sociallogin)  # where it asks the same, it has kept no address
        return complete_social_signup(request, sociallogin)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Provider,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict | None = None,
    ) -> None:
        """A page with the reason, but for who declined: allauth has one."""
        if error == AuthError.CANCELLED:
            return
        if exception is None and "state_id" not in (extra_context or {}):
            exception = OAuth2Error(request.GET.get("error", "no code"))
        raise ImmediateHttpResponse(pages.failed(request, provider, exception))

    def validate_disconnect(
        self, account: SocialAccount, accounts: QuerySet[SocialAccount]
    ) -> None:
        """Raises `ValidationError` for the last way in. A provider that is offered no
        more is none, and two clicks at once are one after the other."""
        user = get_user_model().objects.select_for_update().get(pk=account.user_id)
        offered = {provider.sub_id for provider in self.list_providers(self.request)}
        others = accounts.exclude(pk=account.pk).filter(provider__in=offered)
        if not (user.has_usable_password() or others.exists()):
            raise self.validation_error("no_password")


KEPT = ["username", "email", "name", "first_name", "last_name"]


def _printable(text: object) -> str:
    """`text` without control characters, as long as our columns are."""
    if not isinstance(text, str):
        return ""
    return "".join(c for c in text if c.isprintable())[:150].strip()


def _best(addresses: list[EmailAddress]) -> list[EmailAddress]:
    """The one address of a person here, out of those that the shop can write to: a
    verified one rather than their primary."""
    for address in addresses:
        address.verified = address.verified in (True, "true")  # some say it in words
    fitting = [address for address in addresses if valid_email_or_none(address.email)]
    fitting.sort(key=lambda address: (address.verified, address.primary), reverse=True)
    for address in fitting[:1]:
        address.primary = True
    return fitting[:1]


def _vouch(sociallogin: SocialLogin) -> None:
    """An address that somebody has here is verified, if their provider says so."""
    for address in sociallogin.email_addresses:
        key = {"user": sociallogin.user, "email": sociallogin.user.email}
        is_theirs = address.verified and address.email == key["email"]
        if is_theirs and not EmailAddress.objects.filter(**key, verified=True).exists():
            done = {"verified": True, "primary": True}
            EmailAddress.objects.update_or_create(**key, defaults=done)


def _check_subject(claims: dict) -> None:
    """OpenID Connect: whoever the id token is about, the user info is about."""
    parts = [claims.get(part) or {} for part in ("id_token", "userinfo")]
    if len({part["sub"] for part in parts if part}) > 1:
        raise OAuth2Error("the user info is about somebody else")
