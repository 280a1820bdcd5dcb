"""What the shop keeps of a person, and how it lets go of it.

An account can be deleted at any time; its orders stay. What an order keeps of its
shopper then depends on where it is:

    under way      all that delivering it takes; e-mail and phone too
    finished       name and address, if there is an invoice, for `INVOICE_YEARS`
    after that     nothing of them: the country, for the tax, the lines and the sums

`erase_departed` moves orders from one row of that table to the next.
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from products.models import (
    Basket,
    BasketLine,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    StockMovement,
    Waiting,
)
from products.orders import emails
from products.orders import services as orders
from project.personal import Section

Status = Order.Status
ARRIVED_AFTER = timedelta(days=90)  # of parcels that nobody marked as delivered


SECTIONS = [
    Section(
        "orders",
        Order,
        (
            *("number", "status", "method", "total", "currency", "placed_at", "email"),
            *("full_name", "line1", "line2", "postcode", "city", "region", "country"),
            *("phone", "language"),
        ),
    ),
    Section(
        "order_lines",
        OrderLine,
        ("order__number", "sku", "name", "unit_price", "quantity", "line_total"),
        by="order__user",
    ),
    Section(
        "payments",
        Payment,
        ("order__number", "provider", "status", "amount", "currency", "created_at"),
        by="order__user",
    ),
    Section(
        "basket",
        BasketLine,
        ("product__sku", "product__name", "quantity", "basket__status"),
        by="basket__user",
    ),
    Section("baskets", Basket, ("status", "created_at", "updated_at")),
    Section(
        "waiting_for",
        Waiting,
        ("product__sku", "product__name", "email", "created_at", "told_at"),
        by_email="email",
    ),
    Section(
        "steps_of_orders",
        OrderEvent,
        ("order__number", "status", "created_at"),
        by="actor",
    ),
    Section("orders_handled", Order, ("number", "status"), by="handler"),
    Section(
        "stock_movements",
        StockMovement,
        ("product__sku", "kind", "d_on_hand", "d_reserved", "note", "created_at"),
        by="actor",
    ),
]
NOT_THEIRS: dict[str, str] = {}


@transaction.atomic
def forget(user: AbstractUser, addresses: list[str]) -> list[str]:
    """Before their account is deleted: let its orders go on without it, and forget what
    they wait for. Gives sentences on what stays."""
    # After whoever places an order just now, which then is one of theirs.
    baskets = Basket.objects.filter(user=user).order_by("pk")
    list(baskets.select_for_update().values("pk"))
    for address in addresses:
        Waiting.objects.filter(email__iexact=address).delete()
    theirs = list(Order.objects.filter(user=user).values_list("pk", flat=True))
    now = timezone.now()
    Order.objects.filter(pk__in=theirs).update(user=None, departed_at=now)
    erase_departed(Order.objects.filter(pk__in=theirs))
    return [_note(order) for order in _under_way(Order.objects.filter(pk__in=theirs))]


def _note(order: Order) -> str:
    """Staff read it beside the order, the shopper in their last mail."""
    text = _("The shopper deleted their account. We erase their details later.")
    orders.note(order, note=text)
    text = _("Order %(number)s is still in progress. You can follow it here: %(link)s")
    return text % {"number": order.number, "link": emails.order_link(order)}


def erase_departed(among: QuerySet[Order] | None = None) -> int:
    """Erase what orders of deleted accounts need no more of their shopper, `among`
    these or all; how many rows changed."""
    departed = (Order.objects.all() if among is None else among).filter(
        departed_at__isnull=False, erased_at=None
    )
    is_finished = ~Exists(_under_way(Order.objects.filter(pk=OuterRef("pk"))))
    finished = departed.filter(is_finished)
    law = timezone.now() - timedelta(days=365.25 * settings.INVOICE_YEARS)
    invoiced = Q(status__in=[Status.SHIPPED, Status.DELIVERED]) | _has_payment(PAID)
    with transaction.atomic():
        OrderEvent.objects.filter(order__in=finished).exclude(actor=None).update(
            note=""
        )
        erased = finished.exclude(email="", phone="").update(email="", phone="")
        gone = finished.filter(~invoiced | Q(placed_at__lt=law)).update(
            **dict.fromkeys(PERSONAL, ""), erased_at=timezone.now()
        )
    return erased + gone


PERSONAL = ["full_name", "line1", "line2", "postcode", "city", "region"]
NOT_PAID = [Payment.Status.CREATED, Payment.Status.CLOSING, Payment.Status.FAILED]
PAID = ~Q(status__in=NOT_PAID)
UNSETTLED = Q(status__in=["created", "closing", "refunding"])


def _has_payment(condition: Q) -> Exists:
    return Exists(Payment.objects.filter(condition, order=OuterRef("pk")))


def _under_way(among: QuerySet[Order]) -> QuerySet[Order]:
    """Orders that something is still to be done about: goods, or money."""
    is_old = Q(changed_at__lt=timezone.now() - ARRIVED_AFTER)
    has_arrived = Q(status=Status.SHIPPED) & is_old
    is_active = Q(pk__in=Order.objects.active().values("pk")) & ~has_arrived
    return among.filter(is_active | _has_payment(UNSETTLED))
