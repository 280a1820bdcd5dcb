"""The shop's adapter for allauth's accounts at providers."""

from typing import TYPE_CHECKING

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

from users import sessions, verification
from users.models import User
from users.oauth import pages
from users.oauth.providers import with_our_adapter

if TYPE_CHECKING:
    from users.oauth.views import ProviderRequest


class NotOffered(SocialApp.DoesNotExist, Http404):
    """The provider has no keys, so its pages answer 404."""


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Trusts a provider only where it has verified an address.

    Nobody gets into an existing account by claiming its address.
    """

    error_messages = DefaultSocialAccountAdapter.error_messages | {
        "no_password": _(
            "This is your only way to sign in. Set a password before you "
            "disconnect it."
        ),
    }

    def get_provider(
        self, request: HttpRequest, provider: str, client_id: str | None = None
    ) -> Provider:
        """Return a provider with our adapter. Raises `NotOffered`."""
        try:
            offered = super().get_provider(request, provider, client_id)
        except SocialApp.DoesNotExist as error:
            raise NotOffered(provider) from error
        return with_our_adapter(offered)

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict
    ) -> User:
        """Fill in the new user, and store only what the shop needs of the answer.

        Raises `OAuth2Error` if the answer is about two people.
        """
        account = sociallogin.account
        _check_subject(account.extra_data)
        data = {name: _printable(data.get(name)) for name in STORED_CLAIMS}
        # A user name that looks like an address could be mistaken for another person's.
        data["username"] = data["username"].partition("@")[0]
        sociallogin.email_addresses = _best(sociallogin.email_addresses)
        data["email"] = "".join(each.email for each in sociallogin.email_addresses)
        account.extra_data = {name: text for name, text in data.items() if text}
        return super().populate_user(request, sociallogin, data)

    def pre_social_login(
        self, request: "ProviderRequest", sociallogin: SocialLogin
    ) -> None:
        """Begin the transaction, now that the provider has answered."""
        request.writes.begin()
        if request.user.is_authenticated and not sessions.lock_account(request):
            raise PermissionDenied  # signed out during the request to the provider
        if sociallogin.is_existing:
            _verify_vouched(sociallogin)

    def is_auto_signup_allowed(
        self, request: HttpRequest, sociallogin: SocialLogin
    ) -> bool:
        """Sign up without a form, unless the address has an account.

        Owners of an account connect the provider on their own pages, so nobody can take
        an account over. Only visitors whose address the provider has verified learn
        that there is an account. Raises `ImmediateHttpResponse` with the page to show.
        """
        is_allowed = super().is_auto_signup_allowed(request, sociallogin)
        for address in sociallogin.email_addresses:
            if verification.has_account(address.email):
                raise ImmediateHttpResponse(
                    pages.has_account(request, sociallogin.provider, address.email)
                    if address.verified
                    else pages.link_sent(request, address.email)
                )
            if is_allowed:
                raise ImmediateHttpResponse(self.sign_up(request, sociallogin))
        return is_allowed

    def sign_up(self, request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
        """Sign up like allauth, but without its check that the address is free.

        allauth counts a pending new address of another person as taken.
        """
        try:
            get_account_adapter().clean_username(sociallogin.user.username)
        except ValidationError:
            sociallogin.user.username = ""  # allauth generates one
        self.save_user(request, sociallogin)
        _verify_vouched(sociallogin)  # `save_user` may have stored no address
        return complete_social_signup(request, sociallogin)

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: Provider,
        error: str | None = None,
        exception: Exception | None = None,
        extra_context: dict | None = None,
    ) -> None:
        """Show a page with the reason.

        People who declined get allauth's own page. Raises `ImmediateHttpResponse`.
        """
        if error == AuthError.CANCELLED:
            return
        if exception is None and "state_id" not in (extra_context or {}):
            exception = OAuth2Error(request.GET.get("error", "no code"))
        raise ImmediateHttpResponse(pages.failed(request, provider, exception))

    def validate_disconnect(
        self, account: SocialAccount, accounts: QuerySet[SocialAccount]
    ) -> None:
        """Raise `ValidationError` if this account is the only way to sign in.

        Providers that are no longer offered don't count. A lock makes two simultaneous
        requests run one after the other.
        """
        user = get_user_model().objects.select_for_update().get(pk=account.user_id)
        offered = {provider.sub_id for provider in self.list_providers(self.request)}
        others = accounts.exclude(pk=account.pk).filter(provider__in=offered)
        if not (user.has_usable_password() or others.exists()):
            raise self.validation_error("no_password")


STORED_CLAIMS = ["username", "email", "name", "first_name", "last_name"]


def _printable(text: object) -> str:
    """Return `text` without control characters, cut to the length of our columns."""
    if not isinstance(text, str):
        return ""
    return "".join(c for c in text if c.isprintable())[:150].strip()


def _best(addresses: list[EmailAddress]) -> list[EmailAddress]:
    """Return a list of the best address that the shop can write to, or an empty list.

    A verified address is better than the primary one.
    """
    for address in addresses:
        address.verified = address.verified in (True, "true")  # some send a string
    usable = [address for address in addresses if valid_email_or_none(address.email)]
    usable.sort(key=lambda address: (address.verified, address.primary), reverse=True)
    for address in usable[:1]:
        address.primary = True
    return usable[:1]


def _verify_vouched(sociallogin: SocialLogin) -> None:
    """Mark the user's present address as verified if the provider vouches for it."""
    for address in sociallogin.email_addresses:
        key = {"user": sociallogin.user, "email": sociallogin.user.email}
        is_theirs = address.verified and address.email == key["email"]
        if is_theirs and not EmailAddress.objects.filter(**key, verified=True).exists():
            values = {"verified": True, "primary": True}
            EmailAddress.objects.update_or_create(**key, defaults=values)


def _check_subject(claims: dict) -> None:
    """Check that the id token and the user info name the same person.

    Raises `OAuth2Error` if they don't.
    """
    parts = [claims.get(part) or {} for part in ("id_token", "userinfo")]
    if len({part["sub"] for part in parts if part}) > 1:
        raise OAuth2Error("the user info is about somebody else")
