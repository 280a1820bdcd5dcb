"""Do the books agree? Every stock row against its movements, and against who holds;
every payment against what went back of it, and against its order."""

from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import (
    Count,
    DecimalField,
    Exists,
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
    Stock,
)
from products.orders.models import HOLDING, spelled

GIVEN = (Refund.Status.PENDING, Refund.Status.DONE)
AMOUNT = DecimalField(max_digits=17, decimal_places=3)


class Drift(NamedTuple):
    """A stock row that its movements or its holders don't explain: (row, books) for
    each figure; `held` is what is reserved against what baskets and orders hold."""

    product_id: int
    on_hand: tuple[int, int]
    reserved: tuple[int, int]
    version: tuple[int, int]
    held: tuple[int, int]

    def __str__(self) -> str:
        figures = {
            "on_hand": "its movements say",
            "reserved": "its movements say",
            "version": "its movements say",
            "held": "baskets and orders hold",
        }
        told = [
            f"{'reserved' if name == 'held' else name} is {row}, {says} {books}"
            for name, says in figures.items()
            for row, books in [getattr(self, name)]
            if row != books
        ]
        return f"product {self.product_id}: " + "; ".join(
            told or ["its movements skip a version"]
        )


def reconcile() -> list[Drift]:
    """Every row whose on hand, reserved or version is not what its movements add up
    to, or whose reserved units are not those that baskets and orders hold; empty when
    the books agree. One query, one snapshot."""
    moved = Stock.objects.filter(pk=OuterRef("pk")).order_by().values("pk")
    total = {
        name: Coalesce(Sum(f"product__movements__{name}"), Value(0))
        for name in ("d_on_hand", "d_reserved")
    }
    total["logged"] = Count("product__movements")
    total["newest"] = Coalesce(Max("product__movements__version"), Value(0))
    sums = {
        name: Subquery(moved.annotate(of=sum_).values("of"))
        for name, sum_ in total.items()
    }
    rows = Stock.objects.annotate(
        **sums, held=_baskets_hold() + _orders_hold()
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


def _baskets_hold() -> Coalesce:
    return _units(BasketLine.objects.filter(held__gt=0), "held")


def _orders_hold() -> Coalesce:
    return _units(OrderLine.objects.filter(order__status__in=HOLDING), "quantity")


def _units(lines: QuerySet, column: str) -> Coalesce:
    of_this = lines.filter(product=OuterRef("pk")).order_by().values("product")
    found = of_this.annotate(units=Sum(column)).values("units")
    return Coalesce(Subquery(found, output_field=IntegerField()), Value(0))


# --- Money ------------------------------------------------------------------------

PAID = (
    *(Order.Status.PAID, Order.Status.PACKED),
    *(Order.Status.SHIPPED, Order.Status.DELIVERED),
)
PREPAID = (Order.Method.STRIPE,)
OVER = (Order.Status.CANCELLED, Order.Status.EXPIRED)
SETTLED_AFTER = timedelta(days=1)  # so long a refund may wait for its provider


class MoneyDrift(NamedTuple):
    """An order whose money its rows don't explain."""

    number: str
    what: str

    def __str__(self) -> str:
        return f"order {self.number}: {self.what}"


def reconcile_money() -> list[MoneyDrift]:
    """Every payment whose sums are not those of its refunds and disputes, of which more
    went back than came, or that doesn't fit its order; empty when the books agree."""
    drifts = [MoneyDrift(p.order.number, _off(p)) for p in _odd_payments()]
    return drifts + [MoneyDrift(o.number, _unpaid(o)) for o in _unpaid_orders()]


def _odd_payments() -> QuerySet[Payment]:
    """Payments that came and are not explained, with the sums of their rows."""
    given = Refund.objects.filter(payment=OuterRef("pk"), status__in=GIVEN)
    taken = Dispute.objects.filter(payment=OuterRef("pk"), is_withdrawn=True)
    came = Payment.objects.filter(received__isnull=False).annotate(
        given=_sum(given.order_by().values("payment")),
        taken=_sum(taken.order_by().values("payment")),
    )
    odd = ~Q(refunded=F("given")) | Q(refunded__gt=F("received"))
    odd |= ~Q(disputed=Least(F("taken"), F("received")))
    odd |= Q(
        order__status__in=OVER,
        changed_at__lt=timezone.now() - SETTLED_AFTER,
        received__gt=F("refunded") + F("disputed"),
    )
    return came.filter(odd).select_related("order").order_by("pk")


def _sum(rows: QuerySet) -> Coalesce:
    found = Subquery(rows.annotate(sum=Sum("amount")).values("sum"))
    return Coalesce(found, Value(Decimal(0)), output_field=AMOUNT)


def _off(payment: Payment) -> str:
    """What is wrong with an odd payment."""
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
    """Orders with a provider's attempts that count as paid, and for which nothing came
    that fits them."""
    fits = Q(received=OuterRef("total"), received_currency=OuterRef("currency"))
    came = Payment.objects.filter(fits | Q(is_accepted=True), order=OuterRef("pk"))
    paid = Order.objects.filter(status__in=PAID, method__in=PREPAID)
    tried = Payment.objects.filter(order=OuterRef("pk"))
    return paid.filter(Exists(tried), ~Exists(came)).order_by("pk")


def _unpaid(order: Order) -> str:
    return f"it counts as paid, but no payment of {order.total} {order.currency} came"
