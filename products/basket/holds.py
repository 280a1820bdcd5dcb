"""Holds: the units of a basket that checkout reserves for a while.

A hold claims the units of all lines, or none. It lasts `HOLD_MINUTES`. Each page of the
checkout extends it, up to `HOLD_MINUTES_AT_MOST` from its start. A lapsed hold is never
extended: its units are released, and claimed again if they are still available. Any
change of the basket ends its hold. `products.orders.limits` limits how long an owner
may hold a variant, even with several baskets.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from products.basket import reading
from products.basket.exceptions import BasketClosed, BasketEmpty, HoldPaused, Shortage
from products.drops import admission
from products.live import push
from products.live.viewers import Owner
from products.models import Basket, BasketLine
from products.orders import limits
from products.stock import services as stock
from products.stock.exceptions import NotEnoughStock
from products.sweeps import services as sweeps

HOLD_LINES = "UPDATE products_basketline SET held = quantity WHERE basket_id = %s"
SWEEP = 500  # holds released in one run


class Destination(NamedTuple):
    """Where the goods of a basket go, and the business that gets them."""

    country: str
    postcode: str
    vat_number: str = ""


class Held(NamedTuple):
    """A basket with its lines; `pause` is set if their units are not held."""

    basket: Basket
    lines: list[BasketLine]
    pause: HoldPaused | None = None


def start(basket: Basket, *, network: str = "") -> Basket:
    """Hold the basket's units, or extend its hold; return the basket as it is now.

    `network` is that of `limits.Visitor`. Raises `BasketClosed`, `BasketEmpty`,
    `Shortage` if a line has too few units, or `HoldPaused` if they were held for too
    long, and what `claim` raises. Then nothing is held.
    """
    held = _start(lambda: lock(basket), network)
    if held.pause:
        raise held.pause  # after the commit, so that a lapsed hold stays released
    return held.basket


def start_for(
    owner: Owner, *, network: str = "", destination: Destination | None = None
) -> Held:
    """Hold the units of an owner's open basket, or extend its hold, as `start` does.

    Note where the goods go, if that is known. Raises `BasketEmpty` if there is no open
    basket. A pause is returned: the destination counts all the same.
    """

    def lock_open() -> Basket:
        basket = reading.open_of(owner)
        if basket is None:
            raise BasketEmpty
        return basket

    return _start(lock_open, network, destination)


@transaction.atomic
def _start(
    lock_basket: Callable[[], Basket],
    network: str,
    destination: Destination | None = None,
) -> Held:
    basket = lock_basket()
    has_moved = destination is not None and _move(basket, destination)
    if is_held(basket):
        if _extend(basket) or has_moved:
            _changed(basket)  # the topic "basket:hold" shows the new end
        return Held(basket, reading.lines(basket))
    had_lapsed = basket.held_until is not None
    let_go(basket)
    lines = reading.lines(basket)
    try:
        variants = [line.variant_id for line in lines]
        queued = [line.variant_id for line in lines if line.variant.drop_id]
        time = limits.begin_hold(basket, variants, network, queued_for=queued)
    except HoldPaused as pause:
        if had_lapsed or has_moved:
            _changed(basket)
        return Held(basket, lines, pause)
    claim(basket, lines)
    basket.held_since, basket.held_until = time
    _changed(basket)
    return Held(basket, lines)


def _move(basket: Basket, destination: Destination) -> bool:
    """Note where the goods go; return whether that is new. The caller saves it."""
    before = (str(basket.country), basket.postcode, basket.vat_number)
    basket.country, basket.postcode, basket.vat_number = destination
    return before != destination


@transaction.atomic
def give_up(basket: Basket) -> None:
    """Release the units of a basket whose checkout is left. Raises `BasketClosed`."""
    basket = lock(basket)
    if basket.held_until is not None:
        let_go(basket)
        _changed(basket)


def release_lapsed() -> int:
    """Release the units of lapsed holds; return how many holds.

    Each hold has its own transaction, and locked baskets are skipped, so several
    workers may run this at once.
    """
    return sweeps.one_by_one(_lapsed, _release, at_most=SWEEP)


def _lapsed() -> QuerySet[Basket]:
    return Basket.objects.lapsed().order_by("held_until")


def _release(basket: Basket) -> None:
    let_go(basket)
    _changed(basket)


# --- For services that have locked the basket -------------------------------------


def lock(basket: Basket) -> Basket:
    """Return the row of an open basket, locked. Raises `BasketClosed`."""
    locked = row(basket)
    if locked.status != Basket.Status.OPEN:
        raise BasketClosed
    return locked


def row(basket: Basket) -> Basket:
    """Return the basket's row, locked, whatever its status.

    Raises `BasketClosed` if it was deleted, for example with its owner's account.
    """
    locked = reading.locked(basket.pk)
    if locked is None:
        raise BasketClosed
    return locked


def is_held(basket: Basket) -> bool:
    """Return whether the basket has a hold that has not lapsed."""
    return basket.held_until is not None and basket.held_until > timezone.now()


def claim(basket: Basket, lines: list[BasketLine]) -> None:
    """Reserve the units of every line of `reading.lines`, and note the stock there.

    Raises `BasketEmpty`, `Shortage`, `PersonLimit`, and for units of a drop
    `NotAdmitted` or `DropLimit`. If it raises, roll back the transaction: some lines
    may have been claimed.
    """
    if not lines:
        raise BasketEmpty
    limits.check_units(basket, lines)
    drops = admission.check(basket, lines)
    shortages = {}
    # Try every line, so that the shopper sees all shortages.
    for line in sorted(lines, key=lambda line: line.variant_id):
        left = _claim(line, drops)
        if left is not None:
            shortages[line.variant_id] = left
    if shortages:
        raise Shortage(shortages)
    with connection.cursor() as cursor:
        cursor.execute(HOLD_LINES, [basket.pk])
    if preorders := [line for line in lines if line.ships_from]:
        BasketLine.objects.bulk_update(preorders, ["ships_from"])


def let_go(*baskets: Basket) -> None:
    """Release the units that these baskets hold, if any.

    The baskets are released together, so that stock rows are locked in order. A basket
    without `held_until` holds none.
    """
    baskets = tuple(basket for basket in baskets if basket.held_until is not None)
    if not baskets:
        return
    lines = BasketLine.objects.filter(basket__in=baskets, held__gt=0)
    held: Counter[int] = Counter()
    for variant_id, units in lines.values_list("variant_id", "held"):
        held[variant_id] += units
    if held:
        names = ", ".join(str(basket.pk) for basket in baskets)
        stock.release(held, note=f"basket {names}")
        lines.update(held=0, ships_from=None)
    for basket in baskets:
        basket.held_since = basket.held_until = None


def _claim(line: BasketLine, drops: list[int]) -> int | None:
    """Reserve a line's units. If too few are left, return how many, else None."""
    if not line.variant.is_for_sale:
        return 0
    units, note = {line.variant_id: line.quantity}, f"basket {line.basket_id}"
    try:
        levels = stock.claim(units, note=note, drops=drops)
    except NotEnoughStock as refusal:
        return max(refusal.available, 0)
    line.held = line.quantity
    shown = line.variant.stock
    for level in levels:
        line.ships_from = level.promised
        shown.on_hand, shown.reserved = level.on_hand, level.reserved
        shown.version = level.version
    return None


def _extend(basket: Basket) -> bool:
    """Set a later end of the hold; return whether there is one. The caller saves it."""
    assert basket.held_since is not None and basket.held_until is not None
    latest = basket.held_since + timedelta(minutes=settings.HOLD_MINUTES_AT_MOST)
    until = min(timezone.now() + timedelta(minutes=settings.HOLD_MINUTES), latest)
    if until <= basket.held_until:
        return False
    basket.held_until = until
    limits.prolong_hold(basket)
    return True


def _changed(basket: Basket) -> None:
    """Save the hold and the destination with the next version, and push the basket."""
    basket.version += 1
    fields = ["version", "held_since", "held_until", "updated_at"]
    basket.save(update_fields=[*fields, *Destination._fields])
    push.basket_changed(basket)
