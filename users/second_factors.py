"""The reset of second factors by staff."""

from allauth.core import context
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_removed
from django.db import transaction

from users import notices
from users.models import User

NOTICES = {
    Authenticator.Type.TOTP: "mfa/email/totp_deactivated",
    Authenticator.Type.WEBAUTHN: "mfa/email/webauthn_removed",
}


@transaction.atomic
def reset(user: User) -> int:
    """Delete a user's second factors, and notify them by mail; return how many.

    Staff do this for people who have lost their phone.
    """
    factors = list(Authenticator.objects.filter(user=user))
    for factor in factors:
        factor.delete()
        authenticator_removed.send(
            sender=Authenticator,
            request=context.request,
            user=user,
            authenticator=factor,
        )
    for kind in {factor.type for factor in factors} & NOTICES.keys():
        notices.by_staff(user, NOTICES[kind])
    return len(factors)
