"""What people and staff do with drops and tickets."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from products.catalogue import services as catalogue
from products.drops import gates
from products.drops.admission import tickets_of
from products.drops.exceptions import (
    DropConflict,
    DropOver,
    NeedsAccount,
    TooManyTickets,
)
from products.drops.states import BEST_FIRST, LIVE, Move, Status, Turn
from products.live import push
from products.live.viewers import Owner
from products.models import Drop, Ticket
from products.orders import limits
from products.pricing import clock

KEPT = timedelta(days=1)  # sessions and networks of tickets, after the end of a drop

# --- Staff ------------------------------------------------------------------------

# What staff may still change once a drop has begun.
CHANGEABLE = ("name", "turn_s", "admitted_at_once")


@transaction.atomic
def save(drop: Drop) -> Drop:
    """Save a drop. Its variants may be saved later in the same transaction: call
    `close_gate` then.

    A new one gets a seed. Raises `DropConflict` if the drop has begun and anything but
    `CHANGEABLE` is different.
    """
    if drop.pk is None:
        drop.seed = secrets.token_hex(32)
        drop.seed_sha256 = hashlib.sha256(drop.seed.encode()).hexdigest()
        drop.save()
        return drop
    before = _lock(drop)
    is_planned = before.status == Status.PLANNED
    fixed = ("product_id", "slug", "starts_at", "per_person", "needs_account")
    if not is_planned and any(getattr(before, f) != getattr(drop, f) for f in fixed):
        raise DropConflict(_("The drop has begun, so this cannot be changed."))
    for name in (*CHANGEABLE, *fixed):
        setattr(before, name, getattr(drop, name))
    _changed(before)
    return before


@transaction.atomic
def close_gate(drop: Drop) -> None:
    """Sell the drop's variants by the drop alone. Raises `DropConflict`."""
    if not drop.state.is_over:
        gates.close(drop)
        catalogue.changed([drop.product_id])


@transaction.atomic
def move(drop: Drop, which: Move) -> Drop:
    """Pause, resume or stop a drop. Raises `DropConflict` if that is not possible."""
    drop = _lock(drop)
    if not which.allows(drop.status):
        raise DropConflict
    drop.status = which.to.status
    if drop.state.is_over:
        drop.ended_at = clock.now()
        gates.open_(drop)
        catalogue.changed([drop.product_id])
    _changed(drop)
    return drop


@transaction.atomic
def set_pace(drop: Drop, *, at_once: int, turn_s: int) -> Drop:
    """Change how many people are admitted at once, and how long later turns last."""
    drop = _lock(drop)
    drop.admitted_at_once, drop.turn_s = at_once, turn_s
    _changed(drop)
    return drop


@transaction.atomic
def delete(drops: Iterable[Drop]) -> None:
    """Delete drops that have not begun. Raises `DropConflict` for others."""
    for drop in drops:
        drop = _lock(drop)
        if drop.started_at:
            raise DropConflict(_("A drop that has begun cannot be deleted."))
        gates.open_(drop)
        catalogue.changed([drop.product_id])
        drop.delete()


def _lock(drop: Drop) -> Drop:
    return Drop.objects.select_for_update(no_key=True).get(pk=drop.pk)


def _changed(drop: Drop) -> None:
    """Save the drop with its next version, and push it."""
    drop.version += 1
    drop.save()
    push.drop_changed(drop)


# --- People -----------------------------------------------------------------------


def ticket_of(drop: Drop, owner: Owner) -> Ticket | None:
    """Return the owner's ticket: the live one, or else the newest."""
    tickets = Ticket.objects.filter(tickets_of(*owner), drop=drop)
    newest_first = list(tickets.order_by("-pk"))
    live = [ticket for ticket in newest_first if ticket.state in LIVE]
    return next(iter([*live, *newest_first]), None)


@transaction.atomic
def join(
    drop: Drop, owner: Owner, *, is_verified: bool = False, network: str = ""
) -> Ticket:
    """Give the owner a ticket, at the end of the line; return the one that they have.

    It gets its place with the drop's next step, so that many people can join at once.
    `is_verified` says that the owner is an account with a verified address; `network`
    is that of `limits.Visitor`. Raises `DropOver`, `NeedsAccount`, `TooManyTickets`.
    """
    mine = Ticket.objects.filter(tickets_of(*owner), drop=drop, state__in=LIVE)
    if ticket := mine.first():
        return ticket
    if not drop.state.joins:
        raise DropOver
    if (drop.needs_account or owner.user_id) and not is_verified:
        raise NeedsAccount
    if network and (most := settings.DROP_TICKETS_PER_NETWORK):
        limits.lock_keys([f"drop {drop.pk} {network}"])
        if Ticket.objects.filter(drop=drop, network=network).count() >= most:
            raise TooManyTickets
    ticket = Ticket(drop=drop, network=network)
    ticket.user_id = owner.user_id
    ticket.token = None if owner.user_id else owner.token
    # Somebody who presses the button twice has one ticket.
    Ticket.objects.bulk_create([ticket], ignore_conflicts=True)
    return mine.get()


@transaction.atomic
def leave(drop: Drop, owner: Owner) -> bool:
    """Give up the owner's place or turn. Return whether there was one."""
    mine = Ticket.objects.filter(tickets_of(*owner), drop=drop)
    given_up = mine.filter(state__in=[Turn.WAITING, Turn.ADMITTED])
    return bool(given_up.update(state=Turn.PASSED))


@transaction.atomic
def merge(*, token: str, user_id: int) -> None:
    """Move the tickets of a visitor to their account, at sign-in.

    If both have one in the same drop, the better one is kept, and the other passed on.
    If both have bought, both stay as they are.
    """
    theirs = Ticket.objects.filter(token=token, state__in=LIVE)
    for drop_id in sorted(theirs.values_list("drop", flat=True)):
        list(Drop.objects.select_for_update(no_key=True).filter(pk=drop_id))
        _merge(
            theirs.select_for_update().filter(drop=drop_id).first(),
            Ticket.objects.select_for_update()
            .filter(drop=drop_id, user=user_id, state__in=LIVE)
            .first(),
            user_id,
        )


def _merge(visitors: Ticket | None, own: Ticket | None, user_id: int) -> None:
    if visitors is None:
        return
    if own is not None:
        better, worse = sorted([visitors, own], key=_rank)
        if worse.state == Turn.BOUGHT:
            return
        Ticket.objects.filter(pk=worse.pk).update(state=Turn.PASSED)
        if better is own:
            return
    Ticket.objects.filter(pk=visitors.pk).update(user=user_id, token=None)


def _rank(ticket: Ticket) -> tuple[int, int, int]:
    """Return a key that sorts the better of two tickets first."""
    state = BEST_FIRST.index(Turn(ticket.state))
    return state, ticket.place or 2**31, ticket.pk


# --- The order of the line --------------------------------------------------------


def line_of(drop: Drop) -> QuerySet[Ticket]:
    """Return the tickets that have a place, in their order."""
    return drop.tickets.filter(place__isnull=False).order_by("place")


# --- Personal data ----------------------------------------------------------------


def forget(user_id: int) -> None:
    """Remove an account from its tickets. Places and turns are passed on."""
    tickets = Ticket.objects.filter(user=user_id)
    tickets.filter(state__in=[Turn.WAITING, Turn.ADMITTED]).update(state=Turn.PASSED)
    tickets.update(user=None, network="")


def forget_visitors() -> int:
    """Remove sessions and networks from tickets of drops that are long over.

    Return how many tickets were changed.
    """
    over = Drop.objects.filter(status__in=[Status.STOPPED, Status.SOLD_OUT])
    ended = over.filter(ended_at__lt=clock.now() - KEPT).values("pk")
    tickets = Ticket.objects.filter(drop__in=ended)
    known = tickets.exclude(token=None, network="")
    return known.update(token=None, network="")
