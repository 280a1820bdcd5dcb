"""Turns a basket into an order, once, on the terms that the shopper saw.

Locks are taken in the order basket → order → stock by variant.
"""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.translation import gettext as _

from products.basket import holds, reading
from products.basket.exceptions import BasketClosed, Shortage
from products.drops import admission
from products.live import push
from products.models import (
    Basket,
    BasketLine,
    Order,
    OrderLine,
    ShippingPart,
)
from products.orders import emails, limits
from products.orders.exceptions import MethodRefused, NotDelivered, TermsChanged
from products.orders.services import Method, deadline_of, log_event, mailed, pay
from products.orders.terms import (
    Contact,
    Costs,
    Delivery,
    Goods,
    Terms,
    contact_of,
    iso,
)
from products.payments import providers
from products.pricing import discounts, rules, uses
from products.pricing.baskets import (
    PricedBasket,
    PricedLine,
    PricedShipping,
    Sums,
    todays_rates,
)
from products.pricing.discounts import Choice
from products.shipping import services as shipping
from products.shipping.offers import Offer
from products.shipping.services import Place
from products.vat import services as vat
from project.prepared import note_related


@transaction.atomic
def place(
    basket: Basket,
    contact: Contact,
    *,
    seen: Terms,
    method: str,
    delivery: int | None = None,
    language: str,
    user: AbstractUser | None = None,
    visitor: limits.Visitor = limits.HERE,
) -> Order:
    """Order a basket and return the order.

    `seen` are the terms that the shopper saw and agreed to. The limits for guests count
    the order for `visitor`. `delivery` is the key of the method that the shopper chose
    now; without it, that of the basket counts. If the basket was ordered before, return
    that order. An order that costs nothing gets the method `FREE`, whatever was chosen.

    Raises `BasketClosed`, `BasketEmpty`, `Shortage`, `TermsChanged`, `MethodRefused`,
    `NotDelivered`, `CodeUsedBefore`, `TooManyOrders`, `PersonLimit`, and for units of a
    drop `NotAdmitted`, `DropLimit` and `AlreadyBought`. Then nothing has changed.
    """
    basket = holds.row(basket)
    if basket.status == Basket.Status.ORDERED:
        return basket.order
    if basket.status != Basket.Status.OPEN:
        raise BasketClosed
    if user is None:
        limits.check_order(contact, visitor)  # before it locks rows of stock
    lines = reading.lines(basket)
    limits.check_units(basket, lines, contact.email)
    tickets = admission.begin_order(basket, lines, contact.email)
    if not holds.is_held(basket):
        holds.let_go(basket)
        holds.claim(basket, lines)
    unavailable = {line.variant_id: 0 for line in lines if not line.variant.is_for_sale}
    if unavailable:  # left the shop since they were held
        raise Shortage(unavailable)
    priced, offer, choice = _price(basket, contact, lines, delivery)
    now = _terms(contact, lines, priced, offer)
    if now != seen:
        raise TermsChanged(seen, now)
    if not now.total:
        method = Method.FREE
    elif method == Method.FREE or providers.exceeded(
        method, now.total, settings.CURRENCY
    ):
        raise MethodRefused
    order = Order.objects.create(
        **asdict(contact),
        **(limits.marks(contact, visitor) if user is None else {}),
        basket=basket,
        user_id=user.pk if user else None,
        method=method,
        language=language,
        **_totals(priced.sums),
        **_delivery_columns(now.delivery),
        currency=settings.CURRENCY,
        expires_at=deadline_of(method, user.pk if user else None),
    )
    _create_lines(order, lines, priced, choice)
    admission.end_order(tickets, order)
    limits.end_hold(basket, [line.variant_id for line in lines])
    _close(basket)
    if choice.used:
        account = None if user is None else user.pk
        person = discounts.person_of(account, limits.email_key(contact.email))
        if not uses.take(order, choice.used, person):
            raise TermsChanged(seen, None)  # it has just ended, or is used up
    log_event(order, actor=user)
    if not order.awaits_confirmation:
        order = mailed(order, emails.order_came_in)
    order = mailed(order)
    if method == Method.FREE:
        order = pay(order, note=_("There’s nothing to pay."))
    return order


def terms(basket: Basket, contact: Contact) -> Terms:
    """Return the terms on which the basket would be ordered now."""
    lines = reading.lines(basket)
    priced, offer, _choice = _price(basket, contact, lines)
    return _terms(contact, lines, priced, offer)


def terms_of(order: Order) -> Terms:
    """Return the terms on which the order was placed."""
    goods = [
        Goods(
            variant=line.variant_id,
            name=line.name,
            quantity=line.quantity,
            price=line.unit_price,
            line_discount=line.line_discount,
            order_discount=line.order_discount,
            amount=line.amount,
            tax=line.tax,
            tax_rate=line.tax_rate,
            tax_code=line.tax_code,
            discount_name=line.discount_name,
            ships_from=iso(line.ships_from),
        )
        for line in order.lines.all()
    ]
    costs = Costs(
        *(order.goods, order.discount, order.shipping, order.tax, order.total),
        *(order.prices_include_tax, order.discount_name),
    )
    delivery = Delivery(
        order.delivery_name,
        order.delivery_carrier,
        order.delivery_days_from,
        order.delivery_days_to,
        order.is_pickup,
    )
    return Terms.of(contact_of(order), goods, delivery, costs)


def _price(
    basket: Basket,
    contact: Contact,
    lines: list[BasketLine],
    chosen: int | None = None,
) -> tuple[PricedBasket, Offer, Choice]:
    """Return what the lines cost, with their delivery and their discounts.

    Raises `NotDelivered`.
    """
    version = reading.version_of(lines) or rules.current_version()
    number = vat.accepted(basket.user_id, contact.vat_number)
    rates = todays_rates(contact.country, version, vat_number=number)
    method = chosen or basket.shipping_method_id
    place = Place(contact.country, contact.postcode, method)
    offered = discounts.offered([basket.discount_id], lines, version)
    choice = discounts.choose(lines, offered, basket.discount_id)
    zones = shipping.zones(version)
    priced, delivery = shipping.price(lines, rates, zones, place, choice, version)
    if delivery.chosen is None:
        raise NotDelivered
    return priced, delivery.chosen, choice


def _terms(
    contact: Contact, lines: list[BasketLine], priced: PricedBasket, offer: Offer
) -> Terms:
    goods = map(_goods, lines, priced.lines)
    first, last = offer.days or (None, None)
    delivery = Delivery(offer.name, offer.carrier, first, last, offer.is_pickup)
    sums = {name: getattr(priced.sums, name) for name in Costs._fields}
    return Terms.of(contact, goods, delivery, Costs(**sums))


def _delivery_columns(delivery: Delivery) -> dict[str, Any]:
    """Return the columns of `products.shipping.models.AgreedDelivery`."""
    return {
        "delivery_name": delivery.name,
        "delivery_carrier": delivery.carrier,
        "delivery_days_from": delivery.days_from,
        "delivery_days_to": delivery.days_to,
        "is_pickup": delivery.is_pickup,
    }


def _goods(line: BasketLine, price: PricedLine) -> Goods:
    return Goods(
        variant=line.variant_id,
        name=line.variant.name,
        quantity=line.quantity,
        price=price.price,
        line_discount=price.line_discount,
        order_discount=price.order_discount,
        amount=price.amount,
        tax=price.tax.amount,
        tax_rate=price.tax.rate,
        tax_code=price.tax.code,
        discount_name=price.discount_name,
        ships_from=iso(line.promised),
    )


def _totals(sums: Sums) -> dict[str, Any]:
    """Return the columns of `products.pricing.models.Totals`."""
    names = ("goods", "discount", "shipping", "tax", "total")
    amounts = {name: getattr(sums, name) for name in names}
    return amounts | {
        "prices_include_tax": sums.includes_tax,
        "discount_name": sums.discount_name,
    }


def _create_lines(
    order: Order, lines: list[BasketLine], priced: PricedBasket, choice: Choice
) -> None:
    """Store the lines and the parts of the shipping as they were agreed.

    Whoever asks the order for them next gets these, without a query.
    """
    goods = OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            variant=line.variant,
            name=line.variant.name,
            sku=line.variant.sku,
            unit_price=price.price,
            quantity=line.quantity,
            ships_from=line.promised,
            line_discount=price.line_discount,
            discount=discount,
            discount_name=price.discount_name,
            order_discount=price.order_discount,
            **_taxed(price),
        )
        for line, price, discount in zip(
            lines, priced.lines, choice.of_lines, strict=True
        )
    )
    parts = ShippingPart.objects.bulk_create(
        ShippingPart(order=order, **_taxed(part)) for part in priced.shipping
    )
    note_related(order, "lines", goods)
    note_related(order, "shipping_parts", parts)


def _taxed(price: PricedLine | PricedShipping) -> dict[str, Any]:
    """Return the columns of `products.pricing.models.Taxed`."""
    return {
        "amount": price.amount,
        "tax": price.tax.amount,
        "tax_rate": price.tax.rate,
        "tax_code": price.tax.code,
        "tax_reason": price.tax.reason,
    }


def _close(basket: Basket) -> None:
    """Close the basket: from now on its units are held for the order."""
    basket.lines.update(held=0)
    basket.held_since = basket.held_until = None
    basket.status = Basket.Status.ORDERED
    basket.version += 1
    fields = ["held_since", "held_until", "status", "version", "updated_at"]
    basket.save(update_fields=fields)
    push.basket_changed(basket)
