"""Whose an e-mail address is: what staff may do beside the links that people follow.

The rules are allauth's. A person has one address; a new one replaces it when it is
verified, and `User.email` goes with it. Runs in a request: allauth's mails need one.
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
    """The text says to staff why not."""


class NothingToVerify(VerificationError):
    def __init__(self) -> None:
        super().__init__(_("No address is waiting to be verified."))


class AddressTaken(VerificationError):
    def __init__(self, email: str) -> None:
        super().__init__(
            _("Another account uses %(email)s. Nothing was changed.") % {"email": email}
        )


# --- Addresses --------------------------------------------------------------------


def awaited(user: User) -> EmailAddress | None:
    """The address of theirs that is not verified yet, the newest if there are two.

    Not in the database if they have none there: accounts that are older than
    verification, or made in a shell.
    """
    newest = EmailAddress.objects.get_new(user)
    theirs = EmailAddress.objects.filter(user=user)
    if newest or theirs.filter(email=user.email).exists():
        return newest
    is_first = not theirs.filter(primary=True).exists()
    return EmailAddress(user=user, email=user.email, primary=is_first)


def is_change(address: EmailAddress) -> bool:
    """Whether it is to take the place of its owner's present one."""
    return address.email != address.user.email


def is_taken(address: EmailAddress) -> bool:
    """Whether it is another person's, verified or not."""
    others = User.objects.exclude(pk=address.user_id).filter(email=address.email)
    return others.exists() or not address.can_set_verified()


@transaction.atomic
def resend(user: User) -> EmailAddress:
    """Mail another link, to the address returned; earlier links stay good until they
    run out. Raises `NothingToVerify`."""
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
    """The present address of theirs, if it is not verified."""
    address = awaited(user)
    if address is None or not is_change(address):
        return address
    return EmailAddress.objects.filter(
        user=user, email=user.email, verified=False
    ).first()


def verify_by_hand(user: User) -> EmailAddress:
    """Take staff's word that the present address, which is returned, is theirs. One
    that they wish to change to they confirm themselves: the wish may be a thief's.

    Raises `NothingToVerify`, and `AddressTaken` if it is another person's.
    """
    address = unverified(user)
    try:
        with transaction.atomic():
            return _verify(_saved(address))
    except IntegrityError as error:  # someone was quicker than our look
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
    """After staff have set `user.email`: make it their one address, unverified unless
    it was theirs and verified before. `old` is told if it is another."""
    EmailAddress.objects.filter(user=user).exclude(email=user.email).delete()
    address, _created = EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"primary": True}
    )
    _tell_change(old, address)
    return address


def _tell_change(old: str, address: EmailAddress) -> None:
    if old in ("", address.email):
        return
    emails = {"from_email": old, "to_email": address.email}
    notices.by_staff(address.user, "account/email/email_changed", emails, to=old)


# --- Links ------------------------------------------------------------------------


class State(models.TextChoices):
    """Of a link that was mailed."""

    OPEN = "open", gettext_lazy("open")
    EXPIRED = "expired", gettext_lazy("expired")
    USED = "used", gettext_lazy("used")  # it or another: the address is verified


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
    """Those of `links` that `state` says it of."""
    is_used = Q(email_address__verified=True)
    is_expired = Q(since__lte=timezone.now() - lifetime())
    chosen = {
        State.USED: is_used,
        State.EXPIRED: ~is_used & is_expired,
        State.OPEN: ~is_used & ~is_expired,
    }
    return dated(links).filter(chosen[wanted])


def dated(
    links: models.QuerySet[EmailConfirmation],
) -> models.QuerySet[EmailConfirmation]:
    """`links` with `since`, from when on their time runs."""
    return links.alias(since=Coalesce("sent", "created"))
