"""Where allauth asks us about second factors."""

from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class MFAAdapter(DefaultMFAAdapter):
    """Apps and devices note the shop's name and its one address, never the request's
    Host: a passkey made at shop.example opens www.shop.example too."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_passkey": _(
            "We couldn’t accept your passkey. Please try again, or sign in "
            "another way."
        ),
    }

    def get_totp_issuer(self) -> str:
        return settings.SHOP_NAME

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Who asks for a passkey. With another host in DOMAIN_NAME those made so far
        fit no more."""
        return {
            "id": urlsplit(settings.DOMAIN_NAME).hostname,
            "name": settings.SHOP_NAME,
        }

    def validation_error(self, code: str, *args) -> ValidationError:
        """allauth calls a passkey that does not fit an incorrect code, too."""
        if code == "incorrect_code" and "credential" in context.request.POST:
            code = "incorrect_passkey"
        return super().validation_error(code, *args)
