"""The shop's own mails. Each is written to the outbox, in the transaction of its cause.

Nothing here takes a text for a template: names may hold any signs.
"""

from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.signing import BadSignature, Signer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from products.exceptions import MailRefused
from products.models import Order, Product, Waiting
from project.views import absolute

SIGNER = Signer(salt="products.waiting")
CONFIRM_SIGNER = Signer(salt="products.orders.confirm")
CONFIRM = gettext_lazy("Please confirm your order %(number)s")

# Status → (templates, subject); of the others a shopper need not hear.
STEPS = {
    Order.Status.PENDING: ("placed", gettext_lazy("Your order %(number)s")),
    Order.Status.PAID: ("paid", gettext_lazy("Order %(number)s is paid")),
    Order.Status.SHIPPED: ("shipped", gettext_lazy("Order %(number)s is on its way")),
    Order.Status.CANCELLED: (
        "cancelled",
        gettext_lazy("Order %(number)s is cancelled"),
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
        _send(
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


def back_in_stock(waiting: Waiting) -> None:
    """Tell somebody that what they waited for is there. Needs `product`. Raises
    `MailRefused`."""
    product = waiting.product
    with translation.override(waiting.language):
        _send(
            "products/email/back_in_stock",
            _("%(name)s is back") % {"name": _one_line(product.name)},
            [waiting.email],
            product=product,
            link=absolute(product.get_absolute_url()),
            stop=absolute(reverse("products:tell-stop", args=[stop_token(waiting)])),
        )


def stop_token(waiting: Waiting) -> str:
    """What the link "write no more" carries."""
    return SIGNER.sign(waiting.pk)


def waiting_of(token: str) -> Waiting | None:
    """Whose mail had that link; None for what is no link of ours."""
    try:
        return Waiting.objects.filter(pk=int(SIGNER.unsign(token))).first()
    except BadSignature:
        return None


def low_stock(products: Sequence[tuple[Product, int]]) -> None:
    """Tell staff what is running out: products and what is left of them."""
    with translation.override(settings.LANGUAGE_CODE):
        _send(
            "products/email/low_stock",
            ngettext(
                "%(count)d product is running out",
                "%(count)d products are running out",
                len(products),
            )
            % {"count": len(products)},
            settings.STAFF_ALERTS["low"],
            products=[{"product": p, "left": left} for p, left in products],
            link=absolute(reverse("admin:products_stock_changelist")),
        )


def order_came_in(order: Order) -> None:
    """Tell staff of a new order, if someone is to hear of it. Raises `MailRefused`.

    Of the shopper it says no more than the country: the rest is behind the link.
    """
    to = settings.STAFF_ALERTS["orders"]
    if not to:
        return
    with translation.override(settings.LANGUAGE_CODE):
        _send(
            "orders/email/came_in",
            _("New order %(number)s") % {"number": order.number},
            to,
            order=order,
            lines=list(order.lines.all()),
            link=absolute(reverse("staff:order", args=[order.number])),
        )


def _send(template: str, subject: str, to: Sequence[str], **context) -> None:
    context |= {"shop_name": settings.SHOP_NAME, "shop_url": settings.DOMAIN_NAME}
    text = render_to_string(f"{template}.txt", context).strip() + "\n"
    mail = EmailMultiAlternatives(subject, text, to=list(to))
    mail.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    try:
        mail.send()
    except ValidationError as error:
        raise MailRefused(" ".join(error.messages)) from error
    except ValueError as error:
        raise MailRefused(str(error)) from error


def _one_line(text: str) -> str:
    """`text` as a header takes it."""
    return " ".join(text.split())
