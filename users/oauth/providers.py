"""How the shop talks to each provider."""

from urllib.parse import urlsplit

from allauth.socialaccount.providers.base import Provider
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from allauth.socialaccount.providers.openid_connect.views import (
    OpenIDConnectOAuth2Adapter,
)
from django.http import HttpRequest

from project.views import absolute


class _Home:
    """The provider sends people back to DOMAIN_NAME, whatever Host the request has."""

    def get_callback_url(self, request: HttpRequest, app) -> str:
        return absolute(urlsplit(super().get_callback_url(request, app)).path)


class GitHub(_Home, GitHubOAuth2Adapter):
    pass


class Google(_Home, GoogleOAuth2Adapter):
    pass


class OpenIDConnect(_Home, OpenIDConnectOAuth2Adapter):
    """The signature of its id token is always verified: the server may be one's own,
    behind plain http, which allauth takes for TLS."""

    def get_access_token_data(self, *args, **kwargs) -> dict:
        answer = super().get_access_token_data(*args, **kwargs)
        self.did_fetch_access_token = False
        return answer


ADAPTERS = {each.provider_id: each for each in (GitHub, Google)}


def at_home(provider: Provider) -> Provider:
    """`provider`, sending people back to DOMAIN_NAME."""
    provider.oauth2_adapter_class = ADAPTERS.get(provider.id, OpenIDConnect)
    return provider
