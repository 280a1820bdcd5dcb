"""The units of a basket whose checkout has begun, reserved for a while.

A hold is whole: each line's units are claimed, or none. It lasts `HOLD_MINUTES`, and
each look at the checkout prolongs it, up to `HOLD_MINUTES_AT_MOST` from its start. One
that has run out is never prolonged: its units go back, and are claimed again if they
are still there. Whatever changes the basket ends its hold. `products.orders.limits`
says how long the same owner may hold the same product, whatever became of the basket.
"""

from collections import Counter
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from products.basket.exceptions import BasketClosed, BasketEmpty, HoldPaused, Shortage
from products.live import push
from products.models import Basket, BasketLine
from products.orders import limits
from products.stock import services as stock
from products.stock.exceptions import NotEnoughStock
from products.sweeps import services as sweeps

SWEEP = 500  # holds released in one run


def start(basket: Basket, *, network: str = "") -> Basket:
    """Hold the basket's units, or prolong the hold. Gives the basket as it is now.

    `network` is the visitor's (`limits.Visitor`). Raises `BasketClosed`, `BasketEmpty`,
    `Shortage` if some line's units are not all there, and `HoldPaused` if they were
    held for too long: then nothing is held.
    """
    basket, pause = _started(basket, network)
    if pause:
        raise pause  # what had lapsed is given back all the same
    return basket


@transaction.atomic
def _started(basket: Basket, network: str) -> tuple[Basket, HoldPaused | None]:
    basket = lock(basket)
    if is_held(basket):
        return _prolonged(basket), None
    had_lapsed = basket.held_until is not None
    let_go(basket)
    try:
        products = list(basket.lines.values_list("product_id", flat=True))
        time = limits.begin_hold(basket, products, network)
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
    """The shopper leaves the checkout: the units go back. Raises `BasketClosed`."""
    basket = lock(basket)
    if basket.held_until is not None:
        let_go(basket)
        _changed(basket)


def release_lapsed() -> int:
    """Give back the units of holds that have run out; how many holds that were.

    Each in a transaction of its own, and none that somebody works on right now, so any
    number of sweepers may run at once.
    """
    return sweeps.one_by_one(_lapsed, _release, at_most=SWEEP)


def _lapsed() -> QuerySet[Basket]:
    return Basket.objects.lapsed().order_by("held_until")


def _release(basket: Basket) -> None:
    let_go(basket)
    _changed(basket)


# --- For services that have locked the basket -------------------------------------


def lock(basket: Basket) -> Basket:
    """The basket's row, locked, if it is open. Raises `BasketClosed`."""
    locked = row(basket)
    if locked.status != Basket.Status.OPEN:
        raise BasketClosed
    return locked


def row(basket: Basket) -> Basket:
    """The basket's row, locked, whatever its status. Raises `BasketClosed` if it is
    gone, as with its shopper's account."""
    locked = Basket.objects.select_for_update().filter(pk=basket.pk).first()
    if locked is None:
        raise BasketClosed
    return locked


def is_held(basket: Basket) -> bool:
    """Whether its units are reserved, for some time to come."""
    return basket.held_until is not None and basket.held_until > timezone.now()


def claim(basket: Basket) -> None:
    """Reserve the units of every line. Raises `BasketEmpty`, `Shortage`.

    The caller's transaction must end when it raises: some lines may be claimed.
    """
    lines = list(basket.lines.select_related("product").order_by("product_id"))
    if not lines:
        raise BasketEmpty
    short = {}
    for line in lines:  # all of them, so that the shopper hears of each at once
        left = _claim(line)
        if left is not None:
            short[line.product_id] = left
    if short:
        raise Shortage(short)
    BasketLine.objects.bulk_update(lines, ["held"])


def let_go(*baskets: Basket) -> None:
    """Give back what is reserved for their lines, if anything is. All at once: rows of
    stock are locked in the order of products, whosever they are."""
    lines = BasketLine.objects.filter(basket__in=baskets, held__gt=0)
    held: Counter[int] = Counter()
    for product_id, units in lines.values_list("product_id", "held"):
        held[product_id] += units
    if held:
        names = ", ".join(str(basket.pk) for basket in baskets)
        stock.release(held, note=f"basket {names}")
        lines.update(held=0)
    for basket in baskets:
        basket.held_since = basket.held_until = None


def _claim(line: BasketLine) -> int | None:
    """Reserve a line's units. If that is too few, how many are left."""
    if not line.product.is_active:
        return 0
    try:
        stock.claim({line.product_id: line.quantity}, note=f"basket {line.basket_id}")
    except NotEnoughStock as refusal:
        return max(refusal.available, 0)
    line.held = line.quantity
    return None


def _prolonged(basket: Basket) -> Basket:
    last = basket.held_since + timedelta(minutes=settings.HOLD_MINUTES_AT_MOST)
    wanted = timezone.now() + timedelta(minutes=settings.HOLD_MINUTES)
    until = min(wanted, last)
    if until > basket.held_until:
        basket.held_until = until
        limits.prolong_hold(basket)
        _changed(basket)  # it is what "basket:hold" shows
    return basket


def _changed(basket: Basket) -> None:
    basket.version += 1
    basket.save(update_fields=["version", "held_since", "held_until", "updated_at"])
    push.basket_changed(basket)
