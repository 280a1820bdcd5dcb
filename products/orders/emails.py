"""Mails about orders, to shoppers and to staff."""

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from products.emails import send
from products.models import Order
from products.orders import states
from project.views import absolute

CONFIRM_SIGNER = Signer(salt="products.orders.confirm")


def order_moved(order: Order) -> None:
    """Tell the shopper which state their order is in, if there is a mail for that.
    Raises `MailRefused`."""
    mail = states.mail_of(order)
    if mail is None or not order.email:  # no address: it was erased with the account
        return
    link = confirm_link(order) if order.awaits_confirmation else order_link(order)
    with translation.override(order.language):
        send(
            f"orders/email/{mail.template}",
            mail.subject % {"number": order.number},
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
