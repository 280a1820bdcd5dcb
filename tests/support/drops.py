"""Drops for tests: planned as staff plan them, with people who take part."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count

from products.basket import holds
from products.basket import services as baskets
from products.drops import services as drops
from products.drops import steps
from products.drops.states import Turn
from products.live.viewers import Owner
from products.models import Basket, Drop, Order, Ticket, Variant
from products.orders import placing
from products.pricing import clock
from tests.support.factories import CONTACT, make_owner, make_variant

_numbers = count(1)


def make_drop(*variants: Variant, in_s: float = 60, **fields) -> Drop:
    """A drop of these variants, as staff plan it. It starts in so many seconds."""
    n = next(_numbers)
    if not variants and "product" not in fields:
        variants = (make_variant(),)
    if variants:
        fields.setdefault("product", variants[0].product)
    starts_at = clock.now() + timedelta(seconds=in_s)
    plan = {"name": f"Drop {n}", "slug": f"drop-{n}", "starts_at": starts_at}
    drop = drops.save(Drop(**plan | fields))
    drop.variants.set(variants)
    drops.close_gate(drop)
    return drop


def begin(drop: Drop) -> Drop:
    """Start a planned drop now; return it as it is then."""
    Drop.objects.filter(pk=drop.pk).update(starts_at=clock.now())
    assert steps.step(drop.pk)
    return Drop.objects.get(pk=drop.pk)


def join(drop: Drop, number: int = 1) -> list[Owner]:
    """So many visitors with a ticket each, in the order in which they took them."""
    owners = [make_owner() for _ in range(number)]
    for owner in owners:
        drops.join(drop, owner)
    return owners


def ticket(drop: Drop, owner: Owner) -> Ticket:
    found = drops.ticket_of(drop, owner)
    assert found is not None
    return found


def at_place(drop: Drop, place: int) -> Owner:
    """Whose ticket has this place."""
    found = drop.tickets.get(place=place)
    return Owner(found.user_id, found.token)


def take(owner: Owner, variant: Variant, units: int = 1) -> Basket:
    """Put units in the basket, and reserve them."""
    basket = baskets.open_for(owner)
    baskets.add(basket, variant.pk, units)
    return holds.start(basket)


def buy(owner: Owner, variant: Variant, units: int = 1) -> Order:
    """Order units with an email address of their own."""
    return order(take(owner, variant, units), f"{owner.token}@a.example")


def order(basket: Basket, email: str) -> Order:
    contact = replace(CONTACT, email=email)
    seen = placing.terms(basket, contact)
    return placing.place(basket, contact, seen=seen, method="delivery", language="en")


def admitted(drop: Drop) -> list[int | None]:
    """The places of those whose turn it is."""
    turns = drop.tickets.filter(state=Turn.ADMITTED).order_by("place")
    return list(turns.values_list("place", flat=True))


def later(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)
