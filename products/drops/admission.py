"""Admission: who may claim units of a drop, and what becomes of their ticket.

A basket and a ticket have the same owner: an account, or the session of a visitor. Code
that claims a basket's units calls `check`, which locks the ticket. So a turn cannot end
while its units are being claimed.
"""

from collections import Counter
from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Q

from products.drops.exceptions import AlreadyBought, DropLimit, NotAdmitted
from products.drops.states import Turn
from products.models import Basket, BasketLine, Order, Ticket
from products.orders import limits, states
from products.pricing import clock


def tickets_of(user_id: int | None, token: str | None) -> Q:
    """Return the condition for tickets of an account, or else of a session."""
    if user_id:
        return Q(user=user_id)
    return Q(token=token) if token else Q(pk=None)


def check(basket: Basket, lines: Iterable[BasketLine]) -> list[int]:
    """Return the drops whose units the basket's owner may claim now.

    Without variants of a drop this takes no query. Raises `NotAdmitted` if it is not
    their turn, and `DropLimit` for too many units.
    """
    units = _units(lines)
    if not units:
        return []
    tickets = {ticket.drop_id: ticket for ticket in _lock(basket, units)}
    now = clock.now()
    for drop_id, wanted in units.items():
        ticket = tickets.get(drop_id)
        if ticket is None or ticket.state != Turn.ADMITTED:
            raise NotAdmitted(drop_id)
        if ticket.ends_at is None or ticket.ends_at <= now:
            raise NotAdmitted(drop_id)
        if wanted > ticket.drop.per_person:
            raise DropLimit(ticket.drop.per_person)
    return sorted(units)


def is_admitted(basket: Basket, drop_id: int) -> bool:
    """Return whether it is the turn of the basket's owner. Locks nothing."""
    owner = tickets_of(basket.user_id, basket.token)
    turns = Ticket.objects.filter(owner, drop=drop_id, state=Turn.ADMITTED)
    return turns.filter(ends_at__gt=clock.now()).exists()


def begin_order(
    basket: Basket, lines: Iterable[BasketLine], email: str
) -> list[Ticket]:
    """Lock the tickets with which the basket is ordered; return them.

    From then on their turns cannot end. Raises `AlreadyBought` if somebody with this
    email address has bought in one of the drops.
    """
    units = _units(lines)
    if not units:
        return []
    limits.lock_mailbox(email)
    orders = Order.objects.filter(limits.of_mailbox(email), pk=OuterRef("order"))
    orders = orders.exclude(status__in=states.OVER)
    bought = Ticket.objects.filter(Exists(orders), drop__in=units, state=Turn.BOUGHT)
    if bought.exists():
        raise AlreadyBought
    return list(_lock(basket, units))


def end_order(tickets: Iterable[Ticket], order: Order) -> None:
    """Note that the order was placed with these tickets."""
    for ticket in tickets:
        Ticket.objects.filter(pk=ticket.pk).update(state=Turn.BOUGHT, order=order)


def _units(lines: Iterable[BasketLine]) -> Counter[int]:
    """Return how many units of each drop the lines ask for."""
    units: Counter[int] = Counter()
    for line in lines:
        if line.variant.drop_id is not None:
            units[line.variant.drop_id] += line.quantity
    return units


def _lock(basket: Basket, drops: Iterable[int]) -> list[Ticket]:
    """Return the turns of the basket's owner, locked."""
    owner = tickets_of(basket.user_id, basket.token)
    turns = Ticket.objects.filter(owner, drop__in=list(drops), state=Turn.ADMITTED)
    locked = turns.select_for_update(of=["self"]).select_related("drop")
    return list(locked.order_by("drop"))
