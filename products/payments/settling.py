"""Updates a payment and its order after a change in refunds or disputes.

A payment's sums and status, and whether its order is on hold, are computed from the
rows. So it does not matter in which order, how often or how late a provider reports.
The caller holds the locks: order → payment.
"""

from decimal import Decimal

from products.models import Dispute, Order, Payment
from products.orders import services as orders
from products.payments import states


def locked(payment: Payment) -> tuple[Order, Payment]:
    """Return the payment's order and the payment, as they are now, both locked."""
    order = Order.objects.select_for_update().get(pk=payment.order_id)
    return order, Payment.objects.select_for_update().get(pk=payment.pk)


def settle(
    order: Order, payment: Payment, *, note: str, is_about_dispute: bool = False
) -> Order:
    """Compute the payment and its order from the rows, with a note in the history.

    Return the order as it is now. An order that staff released is put on hold again
    only if the payment's sums or status, or a dispute, have changed.
    """
    before = (payment.status, payment.refunded, payment.disputed)
    refunds, disputes = list(payment.refunds.all()), list(payment.disputes.all())
    payment.refunded = sum(
        (r.amount for r in refunds if r.status in states.REFUNDED), Decimal(0)
    )
    payment.disputed = sum((_withdrawn(payment, d) for d in disputes), Decimal(0))
    payment.status = states.when_settled(payment, refunds)
    payment.save()
    is_same = before == (payment.status, payment.refunded, payment.disputed)
    if is_same and not is_about_dispute and payment.status not in states.ACCEPT.sources:
        return orders.note(order, note=note)
    return orders.note(order, note=note, on_hold=_on_hold(order))


def _withdrawn(payment: Payment, dispute: Dispute) -> Decimal:
    """Return how much a dispute withdrew. In another currency, that is all of it."""
    if not dispute.is_withdrawn:
        return Decimal(0)
    received = payment.received or Decimal(0)
    if dispute.currency != payment.received_currency:
        return received
    return min(dispute.amount, received)


def _on_hold(order: Order) -> str:
    """Return why staff must check the order before it goes on, or ""."""
    payments = {p.status for p in order.payments.all() if p.received is not None}
    disputes = Dispute.objects.filter(payment__order=order)
    return states.reason_to_hold(
        order, payments, set(disputes.values_list("status", flat=True))
    )
