"""What a payment's refunds and disputes make of it and of its order.

A payment's sums and status, and whether its order is on hold, follow from the rows. So
it does not matter in which order, how often or how late a provider tells of them.
Whoever calls holds the locks: order → payment.
"""

from decimal import Decimal

from products.models import Dispute, Order, Payment, Refund
from products.orders import services as orders
from products.orders import states

OnHold, Status = Order.OnHold, Payment.Status
PURSUED = (Dispute.Status.INQUIRY, Dispute.Status.OPEN)


def locked(payment: Payment) -> tuple[Order, Payment]:
    """Return the payment's order and the payment, as they are now, both locked."""
    order = Order.objects.select_for_update().get(pk=payment.order_id)
    return order, Payment.objects.select_for_update().get(pk=payment.pk)


def settle(
    order: Order, payment: Payment, *, note: str, is_about_dispute: bool = False
) -> Order:
    """Bring the payment and its order in line with the payment's rows, and write down
    why. Out: the order as it is now.

    An order that staff have let go on is held again only for news: when the payment's
    sums or status have changed, or a dispute has.
    """
    before = (payment.status, payment.refunded, payment.disputed)
    refunds, disputes = list(payment.refunds.all()), list(payment.disputes.all())
    payment.refunded = sum((r.amount for r in refunds if _counts(r)), Decimal(0))
    payment.disputed = sum((_taken(payment, d) for d in disputes), Decimal(0))
    payment.status = _status(payment, refunds)
    payment.save()
    is_same = before == (payment.status, payment.refunded, payment.disputed)
    if is_same and not is_about_dispute and payment.status != Status.DIFFERS:
        return orders.note(order, note=note)
    return orders.note(order, note=note, on_hold=_on_hold(order))


def _counts(refund: Refund) -> bool:
    return refund.status in (Refund.Status.PENDING, Refund.Status.DONE)


def _taken(payment: Payment, dispute: Dispute) -> Decimal:
    """What a dispute took of it: never more than came, and in another currency all."""
    if not dispute.is_withdrawn:
        return Decimal(0)
    if dispute.currency != payment.received_currency:
        return payment.received
    return min(dispute.amount, payment.received)


def _status(payment: Payment, refunds: list[Refund]) -> str:
    if any(refund.status == Refund.Status.ASKED for refund in refunds):
        return Status.REFUNDING
    if payment.received and payment.left <= 0:
        return Status.DISPUTED if payment.disputed else Status.REFUNDED
    ours = [refund for refund in refunds if refund.is_ours]
    if ours and ours[-1].status == Refund.Status.FAILED:
        return Status.STUCK
    if payment.differs and not payment.is_accepted:
        return Status.DIFFERS
    return Status.PAID


def _on_hold(order: Order) -> str:
    """Why staff must look at the order before it goes on; "" if they need not."""
    payments = [p for p in order.payments.all() if p.received is not None]
    statuses = {payment.status for payment in payments}
    disputes = Dispute.objects.filter(payment__order=order)
    if disputes.filter(status__in=PURSUED).exists():
        return OnHold.DISPUTED
    if not order.state.is_over and disputes.filter(status=Dispute.Status.LOST).exists():
        return OnHold.DISPUTED
    if Status.STUCK in statuses:
        return OnHold.STUCK
    if Status.DIFFERS in statuses and states.PAY.allows(order):
        return OnHold.DIFFERS
    if order.status in states.UNSENT and payments and statuses <= {Status.REFUNDED}:
        return OnHold.REFUNDED if order.is_prepaid else ""
    return ""
