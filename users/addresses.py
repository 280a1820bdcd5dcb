"""A person's postal addresses: at most `LIMIT`. Exactly one of them is the default."""

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
    """Save a new address, the first as the default. Raises `TooManyAddresses`."""
    addresses = _locked(user.pk)
    if addresses.count() >= LIMIT:
        raise TooManyAddresses
    address.user_id = user.pk
    address.is_default = not addresses.filter(is_default=True).exists()
    address.save()
    return address


@transaction.atomic
def make_default(address: Address) -> None:
    """Make an address the default.

    Raises `Address.DoesNotExist` if another request has deleted it.
    """
    addresses = _locked(address.user_id)
    addresses.filter(is_default=True).exclude(pk=address.pk).update(is_default=False)
    if not addresses.filter(pk=address.pk).update(is_default=True):
        raise Address.DoesNotExist


@transaction.atomic
def remove(address: Address) -> None:
    """Delete an address. If it was the default, the oldest other one becomes it."""
    addresses = _locked(address.user_id)
    addresses.filter(pk=address.pk).delete()
    successor = addresses.order_by("-is_default", "pk").first()
    if successor and not successor.is_default:
        addresses.filter(pk=successor.pk).update(is_default=True)


def _locked(user_id: int) -> QuerySet[Address]:
    """Lock the user's row, and return the user's addresses.

    The lock is `no_key`, so that rows which refer to the user can still be inserted.
    """
    list(User.objects.select_for_update(no_key=True).filter(pk=user_id).values("pk"))
    return Address.objects.filter(user_id=user_id)
