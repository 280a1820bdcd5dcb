"""A person's postal addresses: at most `LIMIT`, and exactly one of them the usual one
as long as there are any."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from users.models import Address, User

LIMIT = 20


class TooManyAddresses(Exception):
    def __init__(self) -> None:
        super().__init__(
            _("You already have %(limit)d addresses. Please delete one first.")
            % {"limit": LIMIT}
        )


@transaction.atomic
def add(user: User, address: Address) -> Address:
    """Save a new address; the first is the usual one. Raises `TooManyAddresses`."""
    theirs = _locked(user.pk)
    if theirs.count() >= LIMIT:
        raise TooManyAddresses
    address.user_id = user.pk
    address.is_default = not theirs.filter(is_default=True).exists()
    address.save()
    return address


@transaction.atomic
def make_usual(address: Address) -> None:
    """Raises `Address.DoesNotExist` if it was deleted meanwhile."""
    theirs = _locked(address.user_id)
    theirs.filter(is_default=True).exclude(pk=address.pk).update(is_default=False)
    if not theirs.filter(pk=address.pk).update(is_default=True):
        raise Address.DoesNotExist


@transaction.atomic
def remove(address: Address) -> None:
    """Delete it; of the others the oldest takes its place as the usual one."""
    theirs = _locked(address.user_id)
    theirs.filter(pk=address.pk).delete()
    heir = theirs.order_by("-is_default", "pk").first()
    if heir and not heir.is_default:
        theirs.filter(pk=heir.pk).update(is_default=True)


def _locked(user_id: int) -> QuerySet[Address]:
    """Their addresses, after whoever changes them just now; rows that only refer to
    the person do not wait."""
    list(User.objects.select_for_update(no_key=True).filter(pk=user_id).values("pk"))
    return Address.objects.filter(user_id=user_id)
