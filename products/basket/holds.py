"""Holds: the units of a basket that checkout reserves for a while.

A hold claims the units of all lines, or none. It lasts `HOLD_MINUTES`. Each page of the
checkout extends it, up to `HOLD_MINUTES_AT_MOST` from its start. A lapsed hold is never
extended: its units are released, and claimed again if they are still available. Any
change of the basket ends its hold. `products.orders.limits` limits how long an owner
may hold a variant, even with several baskets.
"""

from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from products.basket.exceptions import BasketClosed, BasketEmpty, HoldPaused, Shortage
from products.drops import admission
from products.live import push
from products.models import Basket, BasketLine
from products.orders import limits
from products.stock import services as stock
from products.stock.exceptions import NotEnoughStock
from products.sweeps import services as sweeps

SWEEP = 500  # holds released in one run


def start(basket: Basket, *, network: str = "") -> Basket:
    """Hold the basket's units, or extend its hold; return the basket as it is now.

    `network` is that of `limits.Visitor`. Raises `BasketClosed`, `BasketEmpty`,
    `Shortage` if a line has too few units, or `HoldPaused` if they were held for too
    long, and what `claim` raises. Then nothing is held.
    """
    basket, pause = _start(basket, network)
    if pause:
        raise pause  # after the commit, so that a lapsed hold stays released
    return basket


@transaction.atomic
def _start(basket: Basket, network: str) -> tuple[Basket, HoldPaused | None]:
    basket = lock(basket)
    if is_held(basket):
        return _extend(basket), None
    had_lapsed = basket.held_until is not None
    let_go(basket)
    try:
        variants = list(basket.lines.values_list("variant_id", flat=True))
        time = limits.begin_hold(basket, variants, network)
    except HoldPaused as pause:
        if had_lapsed:
            _changed(basket)
        return basket, pause
    claim(basket)
    basket.held_since, basket.held_until = time
    _changed(basket)
    return basket, None


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
    locked = Basket.objects.select_for_update().filter(pk=basket.pk).first()
    if locked is None:
        raise BasketClosed
    return locked


def is_held(basket: Basket) -> bool:
    """Return whether the basket has a hold that has not lapsed."""
    return basket.held_until is not None and basket.held_until > timezone.now()


def claim(basket: Basket) -> None:
    """Reserve the units of every line. Raises `BasketEmpty` or `Shortage`.

    Raises `NotAdmitted` or `DropLimit` for units of a drop, and `PersonLimit`. If it
    raises, roll back the transaction: some lines may have been claimed.
    """
    lines = list(basket.lines.select_related("variant__product").order_by("variant_id"))
    if not lines:
        raise BasketEmpty
    limits.check_units(basket, lines)
    drops = admission.check(basket, lines)
    shortages = {}
    for line in lines:  # try every line, so that the shopper sees all shortages
        left = _claim(line, drops)
        if left is not None:
            shortages[line.variant_id] = left
    if shortages:
        raise Shortage(shortages)
    BasketLine.objects.bulk_update(lines, ["held"])


def let_go(*baskets: Basket) -> None:
    """Release the units that these baskets hold, if any.

    The baskets are released together, so that stock rows are locked in order.
    """
    lines = BasketLine.objects.filter(basket__in=baskets, held__gt=0)
    held: Counter[int] = Counter()
    for variant_id, units in lines.values_list("variant_id", "held"):
        held[variant_id] += units
    if held:
        names = ", ".join(str(basket.pk) for basket in baskets)
        stock.release(held, note=f"basket {names}")
        lines.update(held=0)
    for basket in baskets:
        basket.held_since = basket.held_until = None


def _claim(line: BasketLine, drops: list[int]) -> int | None:
    """Reserve a line's units. If too few are left, return how many, else None."""
    if not line.variant.is_for_sale:
        return 0
    units, note = {line.variant_id: line.quantity}, f"basket {line.basket_id}"
    try:
        stock.claim(units, note=note, drops=drops)
    except NotEnoughStock as refusal:
        return max(refusal.available, 0)
    line.held = line.quantity
    return None


def _extend(basket: Basket) -> Basket:
    assert basket.held_since is not None and basket.held_until is not None
    latest = basket.held_since + timedelta(minutes=settings.HOLD_MINUTES_AT_MOST)
    until = min(timezone.now() + timedelta(minutes=settings.HOLD_MINUTES), latest)
    if until > basket.held_until:
        basket.held_until = until
        limits.prolong_hold(basket)
        _changed(basket)  # the topic "basket:hold" shows the new end
    return basket


def _changed(basket: Basket) -> None:
    """Save the hold with the basket's next version, and push it."""
    basket.version += 1
    basket.save(update_fields=["version", "held_since", "held_until", "updated_at"])
    push.basket_changed(basket)
