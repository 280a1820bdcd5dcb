"""An account is deleted: by its owner, or by staff. One way for both."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from project.personal import keepers, proven_addresses
from users import notices
from users.models import User


class LastAdministrator(Exception):
    """Nobody could give rights any more."""

    def __init__(self) -> None:
        super().__init__(
            _(
                "This is the last administrator account. Make another person an"
                " administrator first."
            )
        )


def is_last_administrator(user: User) -> bool:
    return user.is_superuser and user.is_active and not _others(user).exists()


@transaction.atomic
def delete(user: User, *, is_by_staff: bool = False) -> None:
    """Delete the account with all that is its owner's alone, and tell them by mail.

    What others need stays without them: each module of `settings.PERSONAL_DATA` sees to
    its own. Raises `LastAdministrator`, and `User.DoesNotExist` if it is gone already.
    """
    # All administrators in one order: two who leave at once cannot both be second.
    # Not the whole row yet: whoever places an order has locked its basket, and refers
    # to the person next.
    administrators = User.objects.filter(is_superuser=True).order_by("pk")
    list(administrators.select_for_update(no_key=True).values("pk"))
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if is_last_administrator(user):
        raise LastAdministrator
    emails = proven_addresses(user)
    kept = [line for keeper in keepers() for line in keeper.forget(user, emails)]
    notices.account_deleted(user, kept, is_by_staff=is_by_staff)
    list(User.objects.select_for_update().filter(pk=user.pk).values("pk"))
    user.delete()


def _others(user: User) -> QuerySet[User]:
    others = User.objects.filter(is_superuser=True, is_active=True)
    return others.exclude(pk=user.pk)
