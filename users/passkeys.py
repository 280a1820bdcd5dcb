"""Forms with the answer of a passkey or security key.

allauth's own forms raise an error if the answer is malformed.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms
from allauth.mfa.webauthn.internal.auth import (
    parse_authentication_response,
    parse_registration_response,
)

# The exceptions of fido2 for answers that it cannot parse.
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error)


@contextmanager
def refusing_malformed() -> Iterator[None]:
    """Turn the exceptions of fido2 into `ValidationError`."""
    try:
        yield
    except MALFORMED as error:
        raise get_adapter().validation_error("incorrect_code") from error


class AddForm(forms.AddWebAuthnForm):
    def clean_credential(self) -> dict:
        credential = self.cleaned_data["credential"]
        with refusing_malformed():
            parse_registration_response(credential)
        return credential


class SecondStepForm(forms.AuthenticateWebAuthnForm):
    def clean_credential(self) -> Authenticator:
        with refusing_malformed():
            parse_authentication_response(self.cleaned_data["credential"])
        return super().clean_credential()


class LoginForm(SecondStepForm, forms.LoginWebAuthnForm):
    pass


class ReauthenticateForm(SecondStepForm, forms.ReauthenticateWebAuthnForm):
    pass
