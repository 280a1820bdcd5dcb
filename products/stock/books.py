"""Checks that stored totals agree with the rows behind them.

Stock rows must agree with their movements, and with the units that baskets and orders
hold. Payments must agree with their refunds and disputes, and with their orders. Orders
must agree with their lines and the parts of their shipping.
"""

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from django.db.models import (
    Aggregate,
    Count,
    DecimalField,
    Exists,
    Expression,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

from products.models import (
    BasketLine,
    Dispute,
    Order,
    OrderLine,
    Payment,
    Refund,
    ShippingPart,
    Stock,
)
from products.orders import states
from products.orders.models import spelled
from products.payments import states as payment_states

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    OddPayment = WithAnnotations[Payment, "GivenBack"]

AMOUNT = DecimalField(max_digits=17, decimal_places=3)


class Drift(NamedTuple):
    """A stock row that doesn't agree with its movements, or with baskets and orders.

    Each figure is (value in the row, value computed from other rows). `held` compares
    the reserved units with the units that baskets and orders hold.
    """

    variant_id: int
    on_hand: tuple[int, int]
    reserved: tuple[int, int]
    version: tuple[int, int]
    held: tuple[int, int]

    def __str__(self) -> str:
        comparisons = [
            ("on_hand", self.on_hand, "its movements say"),
            ("reserved", self.reserved, "its movements say"),
            ("version", self.version, "its movements say"),
            ("reserved", self.held, "baskets and orders hold"),
        ]
        differences = [
            f"{name} is {stored}, {source} {computed}"
            for name, (stored, computed), source in comparisons
            if stored != computed
        ]
        if not differences:
            differences = ["its movements skip a version"]
        return f"variant {self.variant_id}: {'; '.join(differences)}"


def reconcile() -> list[Drift]:
    """Return the stock rows that don't agree with the rows behind them.

    These are rows whose figures or version differ from the sums of their movements, and
    rows whose reserved units differ from those that baskets and orders hold. It is one
    query, so it sees one snapshot.
    """
    rows = Stock.objects.annotate(
        d_on_hand=_of_movements(Sum("variant__movements__d_on_hand")),
        d_reserved=_of_movements(Sum("variant__movements__d_reserved")),
        logged=_of_movements(Count("variant__movements")),
        newest=_of_movements(Max("variant__movements__version")),
        held=_held_by_baskets() + _held_by_orders(),
    ).exclude(
        Q(on_hand=F("d_on_hand"))
        & Q(reserved=F("d_reserved"))
        & Q(reserved=F("held"))
        & Q(version=F("logged"))
        & Q(version=F("newest"))
    )
    return [
        Drift(
            row.pk,
            (row.on_hand, row.d_on_hand),
            (row.reserved, row.d_reserved),
            (row.version, row.logged),
            (row.reserved, row.held),
        )
        for row in rows.order_by("pk")
    ]


def _of_movements(figure: Aggregate) -> Subquery:
    """Return a figure of a stock row's movements; 0 if there are none."""
    this_row = Stock.objects.filter(pk=OuterRef("pk")).order_by().values("pk")
    total = Coalesce(figure, Value(0))
    return Subquery(this_row.annotate(total=total).values("total"))


def _held_by_baskets() -> Coalesce:
    return _units(BasketLine.objects.filter(held__gt=0), "held")


def _held_by_orders() -> Coalesce:
    lines = OrderLine.objects.filter(order__status__in=states.RESERVING)
    return _units(lines, "quantity")


def _units(lines: QuerySet, column: str) -> Coalesce:
    """Return the expression for the sum of a column over a variant's lines."""
    of_variant = lines.filter(variant=OuterRef("pk")).order_by().values("variant")
    units = of_variant.annotate(units=Sum(column)).values("units")
    return Coalesce(Subquery(units, output_field=IntegerField()), Value(0))


# --- Money ------------------------------------------------------------------------

PREPAID = (Order.Method.STRIPE,)
SETTLED_AFTER = timedelta(days=1)  # until then a refund may wait for its provider


class MoneyDrift(NamedTuple):
    """An order that doesn't agree with its lines, or its payments with their rows."""

    number: str
    what: str

    def __str__(self) -> str:
        return f"order {self.number}: {self.what}"


def reconcile_money() -> list[MoneyDrift]:
    """Return the orders that don't agree with the rows behind them.

    An order's sums must be those of its lines and its shipping. A payment's
    sums must be those of its refunds and disputes, it must not return more than was
    received, and it must fit its order.
    """
    drifts = [
        MoneyDrift(payment.order.number, _describe(payment))
        for payment in _odd_payments()
    ]
    for order in _unpaid_orders():
        text = "it counts as paid, but no payment of"
        text = f"{text} {order.total} {order.currency} came"
        drifts.append(MoneyDrift(order.number, text))
    drifts += [
        MoneyDrift(order.number, _describe_sums(order)) for order in _uneven_orders()
    ]
    return drifts


# An order's sums, and those of its lines and of the parts of its shipping.
SUMS = ("goods", "discount", "shipping", "tax")


def _uneven_orders() -> QuerySet[Order]:
    """Return the orders that don't agree with their lines, with the sums of these."""
    of_order = {"order": OuterRef("pk")}
    lines = OrderLine.objects.filter(**of_order).order_by().values("order")
    parts = ShippingPart.objects.filter(**of_order).order_by().values("order")
    orders = Order.objects.annotate(
        goods_rows=_sum(lines, F("amount") + F("order_discount")),
        discount_rows=_sum(lines, F("order_discount")),
        shipping_rows=_sum(parts, F("amount")),
        tax_rows=_sum(lines, F("tax")) + _sum(parts, F("tax")),
    )
    agree = Q(**{name: F(f"{name}_rows") for name in SUMS})
    return orders.filter(~agree).order_by("pk")


def _describe_sums(order: Order) -> str:
    pairs = {
        name: (getattr(order, name), getattr(order, f"{name}_rows")) for name in SUMS
    }
    return "; ".join(
        f"{name} is {spelled(stored)}, its rows say {spelled(computed)}"
        for name, (stored, computed) in pairs.items()
        if stored != computed
    )


class GivenBack(TypedDict):
    """What `_odd_payments` adds to a payment: the sums of its refunds and disputes."""

    given: Decimal
    taken: Decimal


def _odd_payments() -> "QuerySet[OddPayment]":
    """Return received payments that don't agree, with the sums of their rows."""
    given = Refund.objects.filter(
        payment=OuterRef("pk"), status__in=payment_states.REFUNDED
    )
    taken = Dispute.objects.filter(payment=OuterRef("pk"), is_withdrawn=True)
    came = Payment.objects.filter(received__isnull=False).annotate(
        given=_sum(given.order_by().values("payment")),
        taken=_sum(taken.order_by().values("payment")),
    )
    odd = ~Q(refunded=F("given")) | Q(refunded__gt=F("received"))
    odd |= ~Q(disputed=Least(F("taken"), F("received")))
    odd |= Q(
        order__status__in=states.OVER,
        changed_at__lt=timezone.now() - SETTLED_AFTER,
        received__gt=F("refunded") + F("disputed"),
    )
    return came.filter(odd).select_related("order").order_by("pk")


def _sum(rows: QuerySet, amount: Expression | F | str = "amount") -> Coalesce:
    total = Subquery(rows.annotate(sum=Sum(amount)).values("sum"))
    return Coalesce(total, Value(Decimal(0)), output_field=AMOUNT)


def _describe(payment: "OddPayment") -> str:
    """Return what is wrong with an odd payment."""
    assert payment.received is not None
    unit, received = payment.received_currency, spelled(payment.received)
    refunded, disputed = spelled(payment.refunded), spelled(payment.disputed)
    given, taken = spelled(payment.given), spelled(payment.taken)
    if refunded != given:
        return f"refunded is {refunded} {unit}, its refunds say {given}"
    if payment.refunded > payment.received:
        return f"{refunded} of {received} {unit} was refunded"
    if payment.disputed != min(payment.taken, payment.received):
        return f"disputed is {disputed} {unit}, disputes say {taken}"
    return f"{spelled(payment.left)} {unit} was paid, and not given back"


def _unpaid_orders() -> QuerySet[Order]:
    """Return paid orders for which no payment with their total was received.

    Orders without an attempt to pay at a provider are left out.
    """
    fits = Q(received=OuterRef("total"), received_currency=OuterRef("currency"))
    came = Payment.objects.filter(fits | Q(is_accepted=True), order=OuterRef("pk"))
    paid = Order.objects.filter(status__in=states.PAID_OR_LATER, method__in=PREPAID)
    tried = Payment.objects.filter(order=OuterRef("pk"))
    return paid.filter(Exists(tried), ~Exists(came)).order_by("pk")
