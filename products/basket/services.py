"""Changes of a basket. Adding a variant reserves nothing; any change ends a hold.

Every change first locks the basket's row, so that additions from two tabs at once both
count. It ends in `_changed`, which gives the basket its next version and pushes it.
"""

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from products.basket import holds, reading
from products.basket.exceptions import (
    BadQuantity,
    BasketFull,
    LineLimit,
    NotInBasket,
    SoldOut,
)
from products.catalogue.exceptions import UnknownProduct
from products.drops import admission
from products.drops.exceptions import NotAdmitted
from products.live import push
from products.live.viewers import Owner
from products.models import Basket, BasketLine, Discount, ShippingMethod, Variant
from products.pricing import discounts
from products.pricing.exceptions import (
    CodeOver,
    CodeUsedBefore,
    CodeUsedUp,
    UnknownCode,
)

DESTINATION = holds.Destination._fields


def new_token() -> str:
    """Return a secret token for an anonymous basket; only the session stores it."""
    return secrets.token_hex(16)


def open_for(owner: Owner) -> Basket:
    """Return the owner's open basket, created if there is none.

    A new basket continues the versions of the owner's earlier ones. So a page that
    shows the old basket takes the new one as newer. It goes where the last one went.
    """
    last = reading.newest_of(owner)
    if last is not None and last.status == Basket.Status.OPEN:
        return last
    copied = ("version", *DESTINATION)
    basket, _is_new = Basket.objects.open().get_or_create(
        user_id=owner.user_id,
        token=owner.token,
        status=Basket.Status.OPEN,
        defaults={name: getattr(last, name) for name in copied} if last else {},
    )
    return basket


def open_first(owner: Owner) -> Basket:
    """Return a new basket of an owner who has just got their token."""
    return Basket.objects.create(user_id=owner.user_id, token=owner.token)


@transaction.atomic
def add(basket: Basket, variant_id: int, quantity: int = 1) -> BasketLine:
    """Add units of a variant; return its line as it is now.

    Raises `BadQuantity`, `UnknownProduct`, `NotAdmitted`, `SoldOut`, `LineLimit`,
    `BasketFull` or `BasketClosed`. Then nothing has changed.
    """
    _check_quantity(quantity)
    basket = _lock(basket)
    variant = _for_sale(variant_id)
    if variant.drop_id and not admission.is_admitted(basket, variant.drop_id):
        raise NotAdmitted(variant.drop_id)
    if variant.stock.available < 1:
        raise SoldOut(variant.name)
    lines = reading.lines(basket)
    line = next((each for each in lines if each.variant_id == variant.pk), None)
    if line is None:
        if len(lines) >= settings.BASKET_LINES_LIMIT:
            raise BasketFull(settings.BASKET_LINES_LIMIT)
        line = BasketLine(basket=basket, quantity=0, price_when_added=variant.price)
    limit = settings.BASKET_LINE_LIMIT
    if line.quantity + quantity > limit:
        raise LineLimit(variant.name, limit, line.quantity)
    line.variant = variant
    line.quantity += quantity
    line.save()
    _changed(basket)
    return line


@transaction.atomic
def set_quantities(basket: Basket, quantities: Mapping[int, int]) -> None:
    """Set the units of lines (variant id → units), all or nothing.

    Raises `BadQuantity`, `NotInBasket` or `BasketClosed`.
    """
    for quantity in quantities.values():
        _check_quantity(quantity)
    basket = holds.lock(basket)
    lines = {line.variant_id: line for line in basket.lines.all()}
    if not quantities.keys() <= lines.keys():
        raise NotInBasket
    changed = [
        lines[variant_id]
        for variant_id, quantity in quantities.items()
        if lines[variant_id].quantity != quantity
    ]
    if changed:
        holds.let_go(basket)
        for line in changed:
            line.quantity = quantities[line.variant_id]
        BasketLine.objects.bulk_update(changed, ["quantity"])
        _changed(basket)


@transaction.atomic
def remove(basket: Basket, variant_id: int) -> None:
    """Remove a line. Raises `NotInBasket` or `BasketClosed`."""
    basket = _lock(basket)
    deleted, _by_model = basket.lines.filter(variant_id=variant_id).delete()
    if not deleted:
        raise NotInBasket
    _changed(basket)


@transaction.atomic
def clear(basket: Basket) -> None:
    """Remove all lines. Raises `BasketClosed`."""
    basket = _lock(basket)
    basket.lines.all().delete()
    _changed(basket)


@transaction.atomic
def set_destination(
    basket: Basket, country: str, postcode: str, vat_number: str = ""
) -> Basket:
    """Note where the goods are sent, and the VAT number of the business that gets them.

    Taxes and delivery depend on them. A hold goes on.

    Raises `BasketClosed`.
    """
    basket = holds.lock(basket)
    basket.country, basket.postcode = country, postcode
    basket.vat_number = vat_number
    _changed(basket)
    return basket


@transaction.atomic
def set_shipping_method(basket: Basket, method: ShippingMethod) -> Basket:
    """Note how the goods are sent. A hold goes on. Raises `BasketClosed`."""
    basket = holds.lock(basket)
    basket.shipping_method = method
    _changed(basket)
    return basket


@transaction.atomic
def apply_code(basket: Basket, text: str) -> Discount:
    """Note the code that the shopper entered; return its discount. A hold goes on.

    It counts while it holds: the goods may not cost enough yet. Raises `UnknownCode`,
    `CodeOver`, `CodeUsedUp`, `CodeUsedBefore` and `BasketClosed`.
    """
    discount = discounts.by_code(text)
    if discount is None:
        raise UnknownCode
    problem = discounts.problem_of(discount)
    if problem is discounts.Problem.EARLY:
        raise UnknownCode
    if problem is discounts.Problem.OVER:
        raise CodeOver(discount.code)
    if problem is discounts.Problem.USED_UP:
        raise CodeUsedUp(discount.code)
    if discount.uses_each and basket.user_id:
        person = discounts.person_of(basket.user_id)
        if discounts.used_by(discount, person) >= discount.uses_each:
            raise CodeUsedBefore(discount.code)
    basket = holds.lock(basket)
    basket.discount = discount
    _changed(basket)
    return discount


@transaction.atomic
def remove_code(basket: Basket) -> Basket:
    """Forget the code that the shopper entered. A hold goes on. Raises
    `BasketClosed`."""
    basket = holds.lock(basket)
    basket.discount = None
    _changed(basket)
    return basket


class MergedLine(NamedTuple):
    """What became of a variant of a merged basket."""

    variant: Variant
    wanted: int  # units in both baskets
    quantity: int  # units in the basket now; 0 if it had no room


@transaction.atomic
def merge(*, token: str, user_id: int) -> list[MergedLine]:
    """Merge the anonymous basket with this token into the user's basket, at sign-in.

    Quantities are added, up to the limit of a line. Variants beyond the limit of a
    basket stay in the anonymous basket, which is closed. A second call changes nothing.
    Return what became of each variant of the anonymous basket.
    """
    target = open_for(Owner(user_id=user_id))
    source = Basket.objects.open().filter(token=token, user=None).first()
    if source is None:
        return []
    # Lock both in the order of their keys, as everywhere.
    ids = [target.pk, source.pk]
    locked = Basket.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    rows = {basket.pk: basket for basket in locked}
    target, source = rows[target.pk], rows[source.pk]
    if not target.status == source.status == Basket.Status.OPEN:
        return []
    holds.let_go(target, source)
    merged = _merge_lines(source, target)
    if not target.country:
        target.country, target.postcode = source.country, source.postcode
    target.shipping_method_id = target.shipping_method_id or source.shipping_method_id
    target.discount_id = target.discount_id or source.discount_id
    source.status = Basket.Status.MERGED
    _changed(source)
    _changed(target)
    return merged


def _merge_lines(source: Basket, target: Basket) -> list[MergedLine]:
    present = {line.variant_id: line for line in target.lines.all()}
    lines = source.lines.select_related("variant__product", "variant__stock")
    return [_merge_line(line, target, present) for line in lines]


def _merge_line(
    line: BasketLine, target: Basket, present: dict[int, BasketLine]
) -> MergedLine:
    """Merge a line; `present` maps variants to the target's lines, and is updated."""
    variant, limit = line.variant, settings.BASKET_LINE_LIMIT
    own = present.get(variant.pk)
    if own is not None:
        wanted = own.quantity + line.quantity
        own.quantity = min(wanted, max(own.quantity, limit))
        own.save(update_fields=["quantity"])
        return MergedLine(variant, wanted, own.quantity)
    wanted = line.quantity
    if len(present) >= settings.BASKET_LINES_LIMIT:
        return MergedLine(variant, wanted, 0)
    line.pk, line.basket, line._state.adding = None, target, True
    line.quantity = min(wanted, limit)
    line.save()
    present[variant.pk] = line
    return MergedLine(variant, wanted, line.quantity)


def _lock(basket: Basket) -> Basket:
    """Return the basket's row, locked, without its hold."""
    locked = holds.lock(basket)
    holds.let_go(locked)
    return locked


def _changed(basket: Basket) -> None:
    """Save the basket with its next version, and push it."""
    basket.version += 1
    fields = ["version", "status", "held_since", "held_until", "updated_at"]
    fields += [*DESTINATION, "shipping_method", "discount"]
    basket.save(update_fields=fields)
    push.basket_changed(basket)


def _check_quantity(quantity: int) -> None:
    if not 1 <= quantity <= settings.BASKET_LINE_LIMIT:
        raise BadQuantity(settings.BASKET_LINE_LIMIT)


def _for_sale(variant_id: int) -> Variant:
    variant = reading.variant_for_sale(variant_id)
    if variant is None:
        raise UnknownProduct
    return variant
