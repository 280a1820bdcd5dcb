"""The verification of email addresses, by links and by staff.

The rules are allauth's. A person has one address. A new address replaces it, also in
`User.email`, once it is verified. These functions need a request for allauth's mails.
"""

from datetime import datetime, timedelta

from allauth.account import app_settings, signals
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.core import context
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from users import notices
from users.models import User


class VerificationError(Exception):
    """The base class. The message tells staff the reason."""


class NothingToVerify(VerificationError):
    def __init__(self) -> None:
        super().__init__(_("No address is waiting to be verified."))


class AddressTaken(VerificationError):
    def __init__(self, email: str) -> None:
        super().__init__(
            _("Another account uses %(email)s. Nothing was changed.") % {"email": email}
        )


# --- Addresses --------------------------------------------------------------------


def has_account(email: str) -> bool:
    """Return whether an account uses the address.

    A pending new address doesn't count. Otherwise, anybody could stop its owner from
    signing up.
    """
    verified = EmailAddress.objects.filter(email=email, verified=True)
    return User.objects.filter(email=email).exists() or verified.exists()


def awaited(user: User) -> EmailAddress | None:
    """Return the user's newest unverified address; None if all are verified.

    The address is not saved yet if the account is older than verification or was
    created in a shell.
    """
    newest = EmailAddress.objects.get_new(user)
    addresses = EmailAddress.objects.filter(user=user)
    if newest or addresses.filter(email=user.email).exists():
        return newest
    is_first = not addresses.filter(primary=True).exists()
    return EmailAddress(user=user, email=user.email, primary=is_first)


def is_change(address: EmailAddress) -> bool:
    """Return whether the address would replace its owner's present address."""
    return address.email != address.user.email


def is_taken(address: EmailAddress) -> bool:
    """Return whether another person uses the address, verified or not."""
    others = User.objects.exclude(pk=address.user_id).filter(email=address.email)
    return others.exists() or not address.can_set_verified()


@transaction.atomic
def resend(user: User) -> EmailAddress:
    """Mail another link, and return the address that it was sent to.

    Earlier links stay valid until they expire. Raises `NothingToVerify`.
    """
    address = _saved(awaited(user))
    confirmation = address.send_confirmation()
    signals.email_confirmation_sent.send(
        sender=EmailConfirmation,
        request=context.request,
        confirmation=confirmation,
        signup=False,
    )
    return address


def unverified(user: User) -> EmailAddress | None:
    """Return the user's present address if it is unverified, else None."""
    address = awaited(user)
    if address is None or not is_change(address):
        return address
    return EmailAddress.objects.filter(
        user=user, email=user.email, verified=False
    ).first()


def verify_by_hand(user: User) -> EmailAddress:
    """Mark the user's present address as verified for staff, and return it.

    Only the user can confirm a pending new address, because a thief may have requested
    the change. Raises `NothingToVerify`, or `AddressTaken` if another account uses the
    address.
    """
    address = unverified(user)
    try:
        with transaction.atomic():
            return _verify(_saved(address))
    except IntegrityError as error:  # another request took it after our check
        raise AddressTaken(address.email if address else user.email) from error


def _saved(address: EmailAddress | None) -> EmailAddress:
    if address is None:
        raise NothingToVerify
    if address.pk is None:
        address.save()
    return address


def _verify(address: EmailAddress) -> EmailAddress:
    if is_taken(address) or not address.set_verified():
        raise AddressTaken(address.email)
    address.set_as_primary()
    EmailAddress.objects.filter(user=address.user).exclude(pk=address.pk).delete()
    signals.email_confirmed.send(
        sender=EmailAddress, request=context.request, email_address=address
    )
    return address


@transaction.atomic
def follow(user: User, *, old: str = "") -> EmailAddress:
    """Make `user.email`, which staff have set, the user's only address; return it.

    It stays verified if the user had verified it before. A mail notifies the `old`
    address if that differs.
    """
    EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()
    address, _created = EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"primary": True}
    )
    _notify_old_address(old, address)
    return address


def _notify_old_address(old: str, address: EmailAddress) -> None:
    if old in ("", address.email):
        return
    emails = {"from_email": old, "to_email": address.email}
    notices.by_staff(address.user, "account/email/email_changed", emails, to=old)


# --- Links ------------------------------------------------------------------------


class State(models.TextChoices):
    """The states of a mailed link."""

    OPEN = "open", gettext_lazy("open")
    EXPIRED = "expired", gettext_lazy("expired")
    USED = "used", gettext_lazy("used")  # this link or another has verified the address


def lifetime() -> timedelta:
    return timedelta(days=app_settings.EMAIL_CONFIRMATION_EXPIRE_DAYS)


def expires(link: EmailConfirmation) -> datetime:
    return (link.sent or link.created) + lifetime()


def state(link: EmailConfirmation) -> State:
    if link.email_address.verified:
        return State.USED
    return State.EXPIRED if expires(link) <= timezone.now() else State.OPEN


def in_state(
    links: models.QuerySet[EmailConfirmation], wanted: State
) -> models.QuerySet[EmailConfirmation]:
    """Return those of `links` whose `state` is `wanted`."""
    is_used = Q(email_address__verified=True)
    is_expired = Q(since__lte=timezone.now() - lifetime())
    conditions = {
        State.USED: is_used,
        State.EXPIRED: ~is_used & is_expired,
        State.OPEN: ~is_used & ~is_expired,
    }
    return dated(links).filter(conditions[wanted])


def dated(
    links: models.QuerySet[EmailConfirmation],
) -> models.QuerySet[EmailConfirmation]:
    """Add `since` to `links`: when each was sent, or created if it was not sent."""
    return links.alias(since=Coalesce("sent", "created"))
