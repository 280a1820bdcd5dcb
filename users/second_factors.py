"""Second factors, as far as staff may touch them: they may be forgotten."""

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
    """Forget all of a person's second factors, as when their phone is lost, and tell
    them by mail; how many there were."""
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
