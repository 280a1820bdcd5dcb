"""The mail that says that a product is back in stock."""

from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from products.emails import one_line, send
from products.models import Waiting
from project.views import absolute

SIGNER = Signer(salt="products.waiting")


def back_in_stock(waiting: Waiting) -> None:
    """Tell somebody that their product is back in stock.

    Needs `variant__product`. Raises `MailRefused`.
    """
    variant = waiting.variant
    with translation.override(waiting.language):
        send(
            "products/email/back_in_stock",
            _("%(name)s is back in stock") % {"name": one_line(variant.name)},
            [waiting.email],
            variant={"name": variant.name, "price": f"{variant.price:.2f}"},
            link=absolute(variant.get_absolute_url()),
            stop=absolute(reverse("products:tell-stop", args=[stop_token(waiting)])),
        )


def stop_token(waiting: Waiting) -> str:
    """Return the token in the link that ends the mails."""
    return SIGNER.sign(str(waiting.pk))


def waiting_of(token: str) -> Waiting | None:
    """Return the request whose mail had this token, or None if it is wrong."""
    try:
        return Waiting.objects.filter(pk=int(SIGNER.unsign(token))).first()
    except BadSignature:
        return None
