"""Adds a guest's orders to the account that has their verified address."""

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Exists, QuerySet
from django.db.models.functions import Lower

from products.models import Order
from products.orders import services as orders

CLAIMED_AT_ONCE = 500


def claimable(user: AbstractUser) -> QuerySet[Order]:
    """Orders placed as a guest with the address that is theirs and verified."""
    guests = Order.objects.filter(Exists(_proven(user)), user=None, departed_at=None)
    return guests.alias(address=Lower("email")).filter(address=user.email.lower())


@transaction.atomic
def claim(user: AbstractUser) -> int:
    """Add those orders to the account, at most `CLAIMED_AT_ONCE`; how many.

    The address is locked meanwhile, so that it cannot become somebody else's.
    """
    if not _proven(user).select_for_update().exists():
        return 0
    theirs = claimable(user).order_by("pk")[:CLAIMED_AT_ONCE]
    return sum(orders.adopt(order, user) for order in theirs)


def _proven(user: AbstractUser) -> QuerySet[EmailAddress]:
    return EmailAddress.objects.filter(user=user, email=user.email, verified=True)
