"""The shop's adapter for allauth's second factors."""

from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


class MFAAdapter(DefaultMFAAdapter):
    """Gives apps and devices the shop's name and host, never the request's Host.

    So a passkey from shop.example also works at www.shop.example.
    """

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_passkey": _(
            "We couldn’t accept your passkey. Please try again, or sign in "
            "another way."
        ),
    }

    def get_totp_issuer(self) -> str:
        return settings.SHOP_NAME

    def get_public_key_credential_rp_entity(self) -> dict[str, str | None]:
        """Return the shop as fido2's relying party.

        Existing passkeys stop working if the host in DOMAIN_NAME changes.
        """
        return {
            "id": urlsplit(settings.DOMAIN_NAME).hostname,
            "name": settings.SHOP_NAME,
        }

    def validation_error(self, code: str, *args) -> ValidationError:
        """Word the error for passkeys, which allauth would call an incorrect code."""
        if code == "incorrect_code" and "credential" in context.request.POST:
            code = "incorrect_passkey"
        return super().validation_error(code, *args)
