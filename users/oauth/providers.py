"""The adapters of the providers."""

from urllib.parse import urlsplit

from allauth.socialaccount.providers.base import Provider
from allauth.socialaccount.providers.github.views import GitHubOAuth2Adapter
from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter
from allauth.socialaccount.providers.oauth2.views import OAuth2Adapter
from allauth.socialaccount.providers.openid_connect.views import (
    OpenIDConnectOAuth2Adapter,
)
from django.http import HttpRequest

from project.views import absolute


class _CallbackMixin(OAuth2Adapter):
    """Lets the provider redirect to DOMAIN_NAME, whatever Host the request has."""

    def get_callback_url(self, request: HttpRequest, app) -> str:
        return absolute(urlsplit(super().get_callback_url(request, app)).path)


class GitHub(_CallbackMixin, GitHubOAuth2Adapter):
    pass


class Google(_CallbackMixin, GoogleOAuth2Adapter):
    pass


class OpenIDConnect(_CallbackMixin, OpenIDConnectOAuth2Adapter):
    """Always verifies the signature of the id token.

    allauth relies on TLS instead, but a company's own server may use plain http.
    """

    def get_access_token_data(self, *args, **kwargs) -> dict:
        data = super().get_access_token_data(*args, **kwargs)
        self.did_fetch_access_token = False
        return data


ADAPTERS = {adapter.provider_id: adapter for adapter in (GitHub, Google)}


def with_our_adapter(provider: Provider) -> Provider:
    """Return `provider` with our adapter, which redirects to DOMAIN_NAME."""
    provider.oauth2_adapter_class = ADAPTERS.get(provider.id, OpenIDConnect)
    return provider
