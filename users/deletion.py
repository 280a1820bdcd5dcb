"""Deletes accounts, in one way for their owners and for staff."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from project.personal import keepers, proven_addresses
from users import notices
from users.models import User


class LastAdministrator(Exception):
    """Without this account, nobody could give rights any more."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "This is the last administrator account. Make another person an"
                " administrator first."
            )
        )


def is_last_administrator(user: User) -> bool:
    """Return whether no other active account is an administrator."""
    return (
        user.is_superuser
        and user.is_active
        and not _other_administrators(user).exists()
    )


@transaction.atomic
def delete(user: User, *, is_by_staff: bool = False) -> None:
    """Delete an account with the data of its owner, and notify them by mail.

    Each module of `settings.PERSONAL_DATA` decides what stays of its own data, without
    the owner. Raises `LastAdministrator`, or `User.DoesNotExist` if another request has
    deleted the account.
    """
    # Lock all administrators, in order, so that the last two cannot leave at once.
    # no_key: a request that places an order has locked its basket, and refers to the
    # user next.
    administrators = User.objects.filter(is_superuser=True).order_by("pk")
    list(administrators.select_for_update(no_key=True).values("pk"))
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if is_last_administrator(user):
        raise LastAdministrator
    emails = proven_addresses(user)
    remaining = []  # sentences about data that stays
    for keeper in keepers():
        remaining += keeper.forget(user, emails)
    notices.account_deleted(user, remaining, is_by_staff=is_by_staff)
    list(User.objects.select_for_update().filter(pk=user.pk).values("pk"))
    user.delete()


def _other_administrators(user: User) -> QuerySet[User]:
    others = User.objects.filter(is_superuser=True, is_active=True)
    return others.exclude(pk=user.pk)
