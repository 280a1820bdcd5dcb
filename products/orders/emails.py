"""Mails about orders, to shoppers and to staff."""

from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_countries.fields import Country

from products.emails import send
from products.models import Order
from products.orders import states
from products.pricing.baskets import sums_of
from project import postal
from project.views import absolute

CONFIRM_SIGNER = Signer(salt="products.orders.confirm")


def order_moved(order: Order) -> None:
    """Send the shopper the mail of the order's state, if there is one.

    Raises `MailRefused`.
    """
    mail = states.mail_of(order)
    if mail is None or not order.email:  # the address was erased with the account
        return
    _send(order, mail.template, mail.subject)


def order_postponed(order: Order) -> None:
    """Tell the shopper that their preorder ships on another day.

    An address that nobody confirmed may be a stranger's, so it gets no such mail.
    Raises `MailRefused`.
    """
    if order.email and not order.is_unconfirmed:
        _send(order, "postponed", gettext_lazy("Another day for order %(number)s"))


def _send(order: Order, template: str, subject: str | Promise) -> None:
    link = confirm_link(order) if order.awaits_confirmation else order_link(order)
    buyer = {
        "full_name": order.full_name,
        "address": [*filter(None, [order.company]), *postal.lines(order)],
        "vat_number": order.vat_number,
    }
    with translation.override(order.language):
        send(
            f"orders/email/{template}",
            str(subject) % {"number": order.number},
            [order.email],
            **_costs(order),
            buyer=buyer,
            link=link,
        )


def _costs(order: Order) -> dict[str, Any]:
    """Return the facts of an order, its lines and its sums, for a mail."""
    lines = list(order.lines.all())
    return {
        "order": _facts(order),
        "lines": [
            {
                "name": line.name,
                "sku": line.sku,
                "quantity": line.quantity,
                "subtotal": f"{line.subtotal:.2f}",
                "ships_from": line.ships_from and line.ships_from.isoformat(),
                "discount_name": line.discount_name,
                "line_discount": f"{line.line_discount:.2f}",
            }
            for line in lines
        ],
        "sums": sums_of(order, lines).facts,
    }


def _facts(order: Order) -> dict[str, Any]:
    """Return what mails say about an order, apart from its lines, sums and address."""
    return {
        "number": order.number,
        "method": order.method,
        "method_name": order.get_method_display(),
        "is_prepaid": order.is_prepaid,
        "expires_at": order.expires_at and order.expires_at.isoformat(),
        "total": f"{order.total:.2f}",
        "delivery": order.agreed_delivery if order.delivery_name else None,
        "country": Country(str(order.country)).name,
        "is_known": bool(order.user_id or order.confirmed_at),
    }


def confirm_link(order: Order) -> str:
    """Return the address where a guest confirms their order. Only their mail has it."""
    token = CONFIRM_SIGNER.sign(order.number)
    return absolute(reverse("products:order-confirm", args=[token]))


def order_to_confirm(token: str) -> Order | None:
    """Return the order that the link confirms, or None if the link is wrong."""
    try:
        number = CONFIRM_SIGNER.unsign(token)
    except BadSignature:
        return None
    return Order.objects.filter(number=number).first()


def order_link(order: Order) -> str:
    """Return the address of the order's page. It opens without signing in."""
    path = reverse("products:order", args=[order.number])
    return absolute(f"{path}?{urlencode({'t': order.access_token})}")


def order_came_in(order: Order) -> None:
    """Tell staff about a new order, if `STAFF_ALERTS` names somebody.

    The mail says nothing about the shopper except their country. Raises `MailRefused`.
    """
    to = settings.STAFF_ALERTS["orders"]
    if not to:
        return
    with translation.override(settings.LANGUAGE_CODE):
        send(
            "orders/email/came_in",
            _("New order %(number)s") % {"number": order.number},
            to,
            **_costs(order),
            link=absolute(reverse("staff:order", args=[order.number])),
        )
