"""Mails about orders, to shoppers and to staff."""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from products.emails import send
from products.models import Order
from project.views import absolute

CONFIRM_SIGNER = Signer(salt="products.orders.confirm")
CONFIRM = gettext_lazy("Please confirm your order %(number)s")


# Status → (templates, subject); of the others a shopper need not hear.
STEPS = {
    Order.Status.PENDING: ("placed", gettext_lazy("Your order %(number)s")),
    Order.Status.PAID: (
        "paid",
        gettext_lazy("We’ve received your payment for order %(number)s"),
    ),
    Order.Status.SHIPPED: ("shipped", gettext_lazy("Order %(number)s is on its way")),
    Order.Status.CANCELLED: (
        "cancelled",
        gettext_lazy("Order %(number)s has been cancelled"),
    ),
    Order.Status.EXPIRED: ("expired", gettext_lazy("Order %(number)s has expired")),
}


def order_moved(order: Order) -> None:
    """Tell the shopper where their order is, if they would want to know. Raises
    `MailRefused`."""
    is_free = order.method == Order.Method.FREE and order.status == Order.Status.PAID
    if not order.email:  # erased, as their account is
        return
    if order.status not in STEPS or is_free:  # that there was nothing to pay is no news
        return
    if order.awaits_confirmation:
        name, subject, link = "confirm", CONFIRM, confirm_link(order)
    elif order.is_unconfirmed:  # a stranger's, perhaps: they hear of it once
        return
    else:
        (name, subject), link = STEPS[order.status], order_link(order)
    with translation.override(order.language):
        send(
            f"orders/email/{name}",
            subject % {"number": order.number},
            [order.email],
            order=order,
            lines=list(order.lines.all()),
            link=link,
        )


def confirm_link(order: Order) -> str:
    """Where a guest confirms their order: only their mail says it."""
    token = CONFIRM_SIGNER.sign(order.number)
    return absolute(reverse("products:order-confirm", args=[token]))


def order_to_confirm(token: str) -> Order | None:
    """Whose mail had that link; None for what is no link of ours."""
    try:
        number = CONFIRM_SIGNER.unsign(token)
    except BadSignature:
        return None
    return Order.objects.filter(number=number).first()


def order_link(order: Order) -> str:
    """Where whoever has the mail sees the order, signed in or not."""
    path = reverse("products:order", args=[order.number])
    return absolute(f"{path}?{urlencode({'t': order.access_token})}")


def order_came_in(order: Order) -> None:
    """Tell staff of a new order, if someone is to hear of it. Raises `MailRefused`.

    Of the shopper it says no more than the country: the rest is behind the link.
    """
    to = settings.STAFF_ALERTS["orders"]
    if not to:
        return
    with translation.override(settings.LANGUAGE_CODE):
        send(
            "orders/email/came_in",
            _("New order %(number)s") % {"number": order.number},
            to,
            order=order,
            lines=list(order.lines.all()),
            link=absolute(reverse("staff:order", args=[order.number])),
        )
