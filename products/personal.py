"""The shop's personal data: its export, and its erasure with an account.

An account can be deleted at any time, but its orders stay. How much personal data an
order keeps then depends on its state:

    in progress    everything that the delivery needs, including e-mail and phone
    finished       name and address for `INVOICE_YEARS`, if there is an invoice
    after that     none, but country (for taxes), lines and amounts

`erase_departed` removes what an order no longer needs.
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from products.drops import services as drops
from products.models import (
    Basket,
    BasketLine,
    DiscountUse,
    Order,
    OrderEvent,
    OrderLine,
    Payment,
    PictureJob,
    StockMovement,
    Ticket,
    VatNumber,
    Waiting,
)
from products.orders import emails
from products.orders import services as orders
from products.orders import states
from products.payments import states as payment_states
from project.personal import Section

ARRIVED_AFTER = timedelta(days=90)  # then a sent parcel counts as delivered


SECTIONS = [
    Section(
        "orders",
        Order,
        (
            *("number", "status", "method", "currency", "placed_at", "email"),
            *("goods", "discount", "discount_name"),
            *("shipping", "tax", "prices_include_tax", "total"),
            *("full_name", "line1", "line2", "postcode", "city", "region", "country"),
            *("phone", "language", "delivery_name", "delivery_carrier", "is_pickup"),
            *("company", "vat_number"),
        ),
    ),
    Section(
        "order_lines",
        OrderLine,
        (
            *("order__number", "sku", "name", "unit_price", "quantity"),
            *(
                "line_discount",
                "discount_name",
                "order_discount",
                "amount",
                "tax",
                "tax_rate",
            ),
        ),
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
        ("variant__sku", "variant__product__name", "quantity", "basket__status"),
        by="basket__user",
    ),
    Section("baskets", Basket, ("status", "vat_number", "created_at", "updated_at")),
    Section(
        "vat_numbers",
        VatNumber,
        ("number", "company", "status", "created_at", "decided_at"),
    ),
    Section("vat_numbers_decided", VatNumber, ("number", "status"), by="decided_by"),
    Section(
        "drop_tickets",
        Ticket,
        (
            *("drop__name", "number", "place", "state", "created_at", "admitted_at"),
            *("ends_at", "order__number"),
        ),
    ),
    Section(
        "waiting_for",
        Waiting,
        ("variant__sku", "variant__product__name", "email", "created_at", "told_at"),
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
        ("variant__sku", "kind", "d_on_hand", "d_reserved", "note", "created_at"),
        by="actor",
    ),
    Section(
        "pictures_imported",
        PictureJob,
        ("name", "created_at", "wanted", "fetched"),
        by="actor",
    ),
]
NOT_THEIRS: dict[str, str] = {}


@transaction.atomic
def forget(user: AbstractUser, addresses: list[str]) -> list[str]:
    """Detach a user's orders and delete what they wait for, before the account goes.

    `addresses` are the user's verified e-mail addresses. Return sentences about orders
    in progress.
    """
    # Wait for an order that is being placed right now, so that it is detached too.
    baskets = Basket.objects.filter(user=user.pk).order_by("pk")
    list(baskets.select_for_update().values("pk"))
    for address in addresses:
        Waiting.objects.filter(email__iexact=address).delete()
    drops.forget(user.pk)
    ids = list(Order.objects.filter(user=user.pk).values_list("pk", flat=True))
    detached = Order.objects.filter(pk__in=ids)
    detached.update(user=None, departed_at=timezone.now())
    erase_departed(detached)
    return [_note(order) for order in _in_progress(detached)]


def _note(order: Order) -> str:
    """Add a note for staff; return a sentence for the shopper's last mail."""
    text = _("The shopper deleted their account. We’ll erase their details later.")
    orders.note(order, note=text)
    text = _("Order %(number)s is still in progress. You can follow it here: %(link)s")
    return text % {"number": order.number, "link": emails.order_link(order)}


def erase_departed(among: QuerySet[Order] | None = None) -> int:
    """Erase personal data that orders of deleted accounts no longer need.

    `among` limits this to some orders. Return how many rows have changed.
    """
    departed = (Order.objects.all() if among is None else among).filter(
        departed_at__isnull=False, erased_at=None
    )
    is_finished = ~Exists(_in_progress(Order.objects.filter(pk=OuterRef("pk"))))
    finished = departed.filter(is_finished)
    retention_limit = timezone.now() - timedelta(days=365.25 * settings.INVOICE_YEARS)
    invoiced = Q(status__in=states.SENT) | _has_payment(PAID)
    with transaction.atomic():
        OrderEvent.objects.filter(order__in=finished).exclude(actor=None).update(
            note=""
        )
        contacts = finished.exclude(email="", phone="").update(email="", phone="")
        nameless = finished.filter(~invoiced | Q(placed_at__lt=retention_limit))
        DiscountUse.objects.filter(order__in=nameless).update(person="")
        identities = nameless.update(
            **dict.fromkeys(PERSONAL, ""), erased_at=timezone.now()
        )
    return contacts + identities


PERSONAL = [
    *("full_name", "line1", "line2", "postcode", "city", "region"),
    *("company", "vat_number"),
]
PAID = ~Q(status__in=payment_states.NOT_RECEIVED)
UNSETTLED = Q(status__in=payment_states.UNFINISHED)


def _has_payment(condition: Q) -> Exists:
    return Exists(Payment.objects.filter(condition, order=OuterRef("pk")))


def _in_progress(among: QuerySet[Order]) -> QuerySet[Order]:
    """Return orders whose goods or money still need attention."""
    is_old = Q(changed_at__lt=timezone.now() - ARRIVED_AFTER)
    has_arrived = Q(status__in=states.DELIVER.statuses) & is_old
    is_active = Q(pk__in=Order.objects.active().values("pk")) & ~has_arrived
    return among.filter(is_active | _has_payment(UNSETTLED))
