"""What shoppers do to their basket. Putting something in holds nothing; a change ends
what checkout holds.

Every change locks the basket's row first, so two tabs that add at once both count,
and ends in `_changed`, which gives the basket its next version and pushes it.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from products.basket import holds
from products.basket.exceptions import (
    BadQuantity,
    BasketFull,
    LineLimit,
    NotInBasket,
    SoldOut,
)
from products.catalogue.exceptions import UnknownProduct
from products.live import push
from products.live.viewers import Owner
from products.models import Basket, BasketLine, Product


def new_token() -> str:
    """A name for an anonymous shopper's basket, kept in their session alone."""
    return secrets.token_hex(16)


def open_for(owner: Owner) -> Basket:
    """The owner's open basket, made if there is none.

    A new basket goes on counting the versions of the owner's earlier ones, so that a
    page which shows the old one takes the new one for newer.
    """
    whose = {"user_id": owner.user_id, "token": owner.token}
    basket, _ = Basket.objects.open().get_or_create(
        **whose,
        status=Basket.Status.OPEN,
        defaults={"version": _last_version(owner)},
    )
    return basket


def _last_version(owner: Owner) -> int:
    baskets = Basket.objects.filter(user_id=owner.user_id, token=owner.token)
    return baskets.aggregate(last=Max("version"))["last"] or 0


@transaction.atomic
def add(basket: Basket, product_id: int, quantity: int = 1) -> BasketLine:
    """Put `quantity` more units in. Gives the line as it is now.

    Raises `BadQuantity`, `UnknownProduct`, `SoldOut`, `LineLimit`, `BasketFull`,
    `BasketClosed`; then nothing has changed.
    """
    _check(quantity)
    basket = _lock(basket)
    product = _for_sale(product_id)
    if product.stock.available < 1:
        raise SoldOut(product.name)
    line = basket.lines.filter(product=product).first()
    if line is None:
        _check_room(basket)
        line = BasketLine(basket=basket, quantity=0, price_when_added=product.price)
    limit = settings.BASKET_LINE_LIMIT
    if line.quantity + quantity > limit:
        raise LineLimit(product.name, limit, line.quantity)
    line.product = product
    line.quantity += quantity
    line.save()
    _changed(basket)
    return line


@transaction.atomic
def set_quantities(basket: Basket, quantities: Mapping[int, int]) -> None:
    """Set lines (product id → units), all or nothing.

    Raises `BadQuantity`, `NotInBasket`, `BasketClosed`.
    """
    for quantity in quantities.values():
        _check(quantity)
    basket = holds.lock(basket)
    lines = {line.product_id: line for line in basket.lines.all()}
    if not quantities.keys() <= lines.keys():
        raise NotInBasket
    changed = [
        lines[product_id]
        for product_id, quantity in quantities.items()
        if lines[product_id].quantity != quantity
    ]
    if changed:
        holds.let_go(basket)
        for line in changed:
            line.quantity = quantities[line.product_id]
        BasketLine.objects.bulk_update(changed, ["quantity"])
        _changed(basket)


@transaction.atomic
def remove(basket: Basket, product_id: int) -> None:
    """Take a line out. Raises `NotInBasket`, `BasketClosed`."""
    basket = _lock(basket)
    deleted, _ = basket.lines.filter(product_id=product_id).delete()
    if not deleted:
        raise NotInBasket
    _changed(basket)


@transaction.atomic
def clear(basket: Basket) -> None:
    """Take everything out. Raises `BasketClosed`."""
    basket = _lock(basket)
    basket.lines.all().delete()
    _changed(basket)


class MergedLine(NamedTuple):
    """A product that came into another basket: the units that both baskets had, and
    the units that the basket has now (0: there was no room for it)."""

    product: Product
    asked: int
    kept: int


@transaction.atomic
def merge(*, token: str, user_id: int) -> list[MergedLine]:
    """Move what an anonymous shopper chose into their own basket at sign-in.

    Quantities add up to what a line takes; products beyond what a basket takes stay
    behind in the closed anonymous basket. Doing it twice does it once. Gives what
    became of each product that the anonymous basket had, with its stock.
    """
    mine = open_for(Owner(user_id=user_id))
    theirs = Basket.objects.open().filter(token=token, user=None).first()
    if theirs is None:
        return []
    # Both locked in the order of their keys, as everywhere.
    ids = [mine.pk, theirs.pk]
    locked = Basket.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    rows = {basket.pk: basket for basket in locked}
    mine, theirs = rows[mine.pk], rows[theirs.pk]
    if not mine.status == theirs.status == Basket.Status.OPEN:
        return []
    holds.let_go(mine, theirs)
    merged = _merge_lines(theirs, mine)
    theirs.status = Basket.Status.MERGED
    _changed(theirs)
    _changed(mine)
    return merged


def _merge_lines(source: Basket, target: Basket) -> list[MergedLine]:
    present = {line.product_id: line for line in target.lines.all()}
    lines = source.lines.select_related("product__stock")
    return [_merge_line(line, target, present) for line in lines]


def _merge_line(line: BasketLine, target: Basket, present: dict) -> MergedLine:
    product, limit = line.product, settings.BASKET_LINE_LIMIT
    own = present.get(product.pk)
    if own is not None:
        asked = own.quantity + line.quantity
        own.quantity = min(asked, max(own.quantity, limit))
        own.save(update_fields=["quantity"])
        return MergedLine(product, asked, own.quantity)
    asked = line.quantity
    if len(present) >= settings.BASKET_LINES_LIMIT:
        return MergedLine(product, asked, 0)
    line.pk, line.basket, line._state.adding = None, target, True
    line.quantity = min(asked, limit)
    line.save()
    present[product.pk] = line
    return MergedLine(product, asked, line.quantity)


@transaction.atomic
def prices_changed(
    product_ids: Collection[int], *, except_for: Iterable[Basket] = ()
) -> list[Basket]:
    """Give open baskets with one of these products their next version; return them.

    A caller's transaction must not have touched stock yet: baskets are locked first,
    everywhere.
    """
    with_it = BasketLine.objects.filter(product__in=product_ids).values("basket")
    baskets = list(
        Basket.objects.open()
        .filter(pk__in=with_it)
        .exclude(pk__in=[basket.pk for basket in except_for])
        .select_for_update(of=["self"])
        .order_by("pk")
    )
    for basket in baskets:
        basket.version += 1
        push.basket_changed(basket)
    Basket.objects.bulk_update(baskets, ["version"], batch_size=1000)
    return baskets


def _lock(basket: Basket) -> Basket:
    """The row, locked, to be changed: whatever its checkout held is given back."""
    locked = holds.lock(basket)
    holds.let_go(locked)
    return locked


def _changed(basket: Basket) -> None:
    basket.version += 1
    basket.save(
        update_fields=["version", "status", "held_since", "held_until", "updated_at"]
    )
    push.basket_changed(basket)


def _check(quantity: int) -> None:
    if not 1 <= quantity <= settings.BASKET_LINE_LIMIT:
        raise BadQuantity(settings.BASKET_LINE_LIMIT)


def _check_room(basket: Basket) -> None:
    if basket.lines.count() >= settings.BASKET_LINES_LIMIT:
        raise BasketFull(settings.BASKET_LINES_LIMIT)


def _for_sale(product_id: int) -> Product:
    try:
        return Product.objects.active().with_stock().get(pk=product_id)
    except Product.DoesNotExist:
        raise UnknownProduct from None
