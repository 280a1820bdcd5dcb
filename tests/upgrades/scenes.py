"""What happens in the shop whose database is saved.

It goes through services, so the rows are those that people and staff leave behind.
"""

from decimal import Decimal

from django.conf import settings

from products.basket import holds
from products.basket import services as baskets
from products.models import Order, Variant
from products.orders import placing
from products.orders import services as orders
from products.payments import refunds
from products.stock import services as stock
from products.vat import services as vat
from products.waiting import services as waiting
from tests.products.payments.test_stripe import begun, tell
from tests.support import drops
from tests.support.factories import (
    CONTACT,
    make_address,
    make_basket,
    make_discount,
    make_options,
    make_order,
    make_sale,
    make_shopper,
    make_user,
    make_variant,
    terms_of,
)
from tests.support.http_server import serving
from tests.support.stripe_server import SECRET, StripeServer
from users.models import User


def play() -> None:
    """Play all scenes."""
    staff = make_user(username="packer", is_staff=True)
    shopper = make_shopper(username="regular")
    small, medium = make_options(
        {"option_values": ["S"], "on_hand": 50},
        {"option_values": ["M"], "on_hand": 0},
        names=["Size"],
        price=Decimal("14.99"),
    )
    sell_in_all_states(shopper, staff, small)
    sell_with_a_code(small)
    pay_with_cards()
    sell_in_a_drop()
    make_sale(make_variant(price=Decimal("20.00")))
    leave_open(shopper, small, medium)


def sell_in_all_states(shopper: User, staff: User, variant: Variant) -> None:
    """Place orders that go as far as each state."""
    moves = [orders.pack, orders.ship, orders.deliver]
    for steps in range(len(moves) + 1):
        order = make_order({variant: 2}, user=shopper)
        for move in moves[:steps]:
            order = move(order, actor=staff)
    orders.cancel(make_order({variant: 1}), actor=staff)


def sell_with_a_code(variant: Variant) -> None:
    """Place an order with a discount."""
    make_discount(code="RELEASE", uses_limit=5)
    basket = make_basket(lines={variant: 3})
    baskets.apply_code(basket, "RELEASE")
    basket = holds.start(basket)
    placing.place(
        basket, CONTACT, seen=terms_of(basket), method="delivery", language="en"
    )


def pay_with_cards() -> None:
    """Begin payments: one stays open, one is paid, and one is paid and refunded."""
    with serving(StripeServer()) as stripe:
        settings.STRIPE_SECRET_KEY = "sk_test_of_a_release"
        settings.STRIPE_WEBHOOK_SECRET = SECRET
        settings.STRIPE_API_BASE = stripe.url
        _open, paid, refunded = (pay_later() for _ in range(3))
        for order in (_open, paid, refunded):
            session = begun(stripe, order)
            if order is not _open:
                assert tell(stripe.event(session)) == 200
        orders.cancel(Order.objects.get(pk=refunded.pk))
        assert refunds.ask_all() == 1


def pay_later() -> Order:
    return make_order({make_variant(): 1}, method=Order.Method.STRIPE)


def sell_in_a_drop() -> None:
    """Leave a drop in its middle: one has bought, one is admitted, and two wait."""
    variant = make_variant(on_hand=2)
    drop = drops.make_drop(variant, admitted_at_once=2)
    drops.join(drop, 4)
    drop = drops.begin(drop)
    drops.buy(drops.at_place(drop, 1), variant)


def leave_open(shopper: User, small: Variant, medium: Variant) -> None:
    """Leave baskets, a hold, people who wait, and a VAT number to check."""
    make_address(shopper)
    make_basket(lines={small: 1})
    holds.start(make_basket(lines={small: 1}))
    waiting.ask(medium.pk, "waits@example.com", language="de")
    vat.give(user=shopper, number="FR40303265045", company="Exemple SA")
    stock.count(small.pk, 60)
