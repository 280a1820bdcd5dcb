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
    """Return guest orders with the account's address, if that is verified."""
    guests = Order.objects.filter(Exists(_proven(user)), user=None, departed_at=None)
    return guests.alias(address=Lower("email")).filter(address=user.email.lower())


@transaction.atomic
def claim(user: AbstractUser) -> int:
    """Add these orders to the account, at most `CLAIMED_AT_ONCE`. Return how many.

    The address is locked, so that nobody else can take it over at the same time.
    """
    if not _proven(user).select_for_update().exists():
        return 0
    claimed = claimable(user).order_by("pk")[:CLAIMED_AT_ONCE]
    return sum(orders.adopt(order, user) for order in claimed)


def _proven(user: AbstractUser) -> QuerySet[EmailAddress]:
    return EmailAddress.objects.filter(user=user, email=user.email, verified=True)
