"""Orders, their lines and their history."""

from datetime import date
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from products.basket.models import Basket
from products.orders import states
from products.orders.machine import Actor, Method, OrderKind, State
from products.orders.numbers import NUMBER_LENGTH, new_access_token, new_number
from products.orders.on_hold import OnHold
from products.orders.states import Status
from products.pricing.models import Taxed, Totals
from products.pricing.models.discounts import Discounted
from products.shipping.models import AgreedDelivery
from products.sweeps.models import Swept, problem_index
from products.variants.models import Variant
from products.vat.models import Business
from project import phones
from project.mail.fields import EmailField, shape_constraint
from project.phones import PhoneField


class OrderQuerySet(models.QuerySet):
    def active(self) -> "OrderQuerySet":
        """Orders that somebody still has to do something about."""
        return self.filter(status__in=states.ACTIVE)

    def overdue(self) -> "OrderQuerySet":
        """Orders that were not paid or confirmed in time.

        Orders for which some money was received are left to staff.
        """
        return self.filter(states.EXPIRE.condition, expires_at__lte=timezone.now())


class Order(Swept, Totals, AgreedDelivery, Business):
    """A basket that was ordered, with its goods and address as they were then.

    Only `products.orders.services` writes it.
    """

    Status, OnHold, Method = Status, OnHold, Method

    number = models.CharField(
        _("number"), max_length=NUMBER_LENGTH, unique=True, default=new_number
    )
    # Anyone who knows it may see the order. It is in the link in a guest's mail and in
    # the name of the order's live topic.
    access_token = models.CharField(
        max_length=32, default=new_access_token, unique=True, editable=False
    )
    # A basket has one order: a second attempt gets the first one. The order
    # outlives the basket and the shopper's account.
    basket = models.OneToOneField(
        Basket, models.SET_NULL, null=True, blank=True, related_name="order"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="orders",
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.PENDING
    )
    on_hold = models.CharField(
        _("on hold"), max_length=10, choices=OnHold.choices, blank=True
    )
    version = models.PositiveBigIntegerField(_("version"), default=1)
    method = models.CharField(_("payment"), max_length=10, choices=Method.choices)
    currency = models.CharField(_("currency"), max_length=3)
    language = models.CharField(_("language"), max_length=10)

    email = EmailField(_("email address"))
    full_name = models.CharField(_("full name"), max_length=120)
    line1 = models.CharField(_("street and number"), max_length=120)
    line2 = models.CharField(_("flat, floor, company"), max_length=120, blank=True)
    postcode = models.CharField(_("postcode"), max_length=20, blank=True)
    city = models.CharField(_("town or city"), max_length=80, blank=True)
    region = models.CharField(_("state or region"), max_length=80, blank=True)
    country = CountryField(_("country"))
    phone = PhoneField(_("phone"), max_length=phones.MAX_LENGTH, blank=True)

    handler = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("handled by"),
    )
    placed_at = models.DateTimeField(_("placed"), default=timezone.now)
    # The order must be paid by then, or, for a guest's on delivery, confirmed.
    expires_at = models.DateTimeField(_("to be paid by"), null=True, blank=True)
    # When a guest confirmed the order with the link in their mail.
    confirmed_at = models.DateTimeField(
        _("confirmed"), null=True, blank=True, editable=False
    )
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)

    # By these, `products.orders.limits` counts a guest's order while a limit applies.
    network = models.CharField(max_length=45, blank=True, editable=False)
    email_key = models.CharField(max_length=32, blank=True, editable=False)
    address_key = models.CharField(max_length=32, blank=True, editable=False)

    # When the shopper's account was deleted, and when all their details were erased.
    # Details that the order still needs are kept until then (`products.personal`).
    departed_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-placed_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="order_status_known"
            ),
            *Totals.Meta.constraints,
            shape_constraint("email", name="order_email_is_one_address"),
        ]
        indexes = [
            models.Index(fields=["status", "placed_at"], name="order_board"),
            models.Index(
                fields=["expires_at"],
                name="order_overdue",
                condition=Q(status="pending"),
            ),
            models.Index(
                fields=["placed_at"], name="order_on_hold", condition=~Q(on_hold="")
            ),
            models.Index(fields=["placed_at", "id"], name="order_placed"),
            problem_index("order_problem"),
            models.Index(fields=["email"], name="order_email"),
            *(
                models.Index(
                    fields=[mark], name=f"order_{mark}", condition=~Q(**{mark: ""})
                )
                for mark in ("network", "email_key", "address_key")
            ),
            models.Index(
                Lower("email"), name="order_guest_email", condition=Q(user=None)
            ),
            models.Index(
                fields=["departed_at"],
                name="order_departed",
                condition=Q(departed_at__isnull=False, erased_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def kind(self) -> OrderKind:
        return OrderKind.of(self.method, self.expires_at)

    @property
    def state(self) -> State:
        """The row of `products.orders.states` for this order."""
        return states.find(self.status, self.method, self.expires_at)

    @property
    def label(self) -> str:
        """The name of its state, for staff."""
        return str(self.state.label or self.get_status_display())

    @property
    def is_prepaid(self) -> bool:
        """Whether a payment provider takes the money before the order is packed."""
        return self.kind is OrderKind.PREPAID

    @property
    def is_unconfirmed(self) -> bool:
        """Whether its guest has not confirmed it, though they had to."""
        return self.kind is OrderKind.UNCONFIRMED

    @property
    def awaits_confirmation(self) -> bool:
        """Whether its guest can still confirm it."""
        return self.state is states.UNCONFIRMED

    @property
    def may(self) -> list[str]:
        """The names of the moves that its shopper may make."""
        return [move.name for move in states.offers(self, Actor.SHOPPER)]

    @property
    def money(self) -> list[dict]:
        """The sums for each currency, JSON-ready. Needs `payments`.

        Each is {"currency", "received", "refunded", "disputed"}.
        """
        sums: dict[str, list[Decimal]] = {}
        for payment in self.payments.all():
            if payment.received is not None:
                of_this = sums.setdefault(payment.received_currency, [Decimal(0)] * 3)
                for n, part in enumerate(("received", "refunded", "disputed")):
                    of_this[n] += getattr(payment, part)
        names = ("received", "refunded", "disputed")
        return [
            {"currency": currency} | dict(zip(names, map(spelled, parts), strict=True))
            for currency, parts in sorted(sums.items())
        ]

    @property
    def ships_from(self) -> date | None:
        """The day from which it ships, if it is a preorder to pack. Needs `lines`."""
        if self.status not in states.UNPACKED:
            return None
        days = [line.ships_from for line in self.lines.all() if line.ships_from]
        return max(days, default=None)

    @property
    def facts(self) -> dict:
        """The facts of the live topic `order:<token>`, JSON-ready.

        Everybody who has the token gets them, so they hold no address. Needs `lines`
        and `payments`.
        """
        day = self.ships_from
        return {
            "token": self.access_token,
            "number": self.number,
            "status": self.status,
            "method": self.method,
            "total": f"{self.total:.2f}",
            "units": sum(line.quantity for line in self.lines.all()),
            "placed_at": self.placed_at.isoformat(),
            "changed_at": self.changed_at.isoformat(),
            "expires_at": self.expires_at and self.expires_at.isoformat(),
            "may": self.may,
            "on_hold": self.on_hold,
            "money": self.money,
            **({"ships_from": day.isoformat()} if day else {}),
        }


def spelled(amount: Decimal) -> str:
    """Return an amount with two decimal places, or three if the third is not 0."""
    return f"{amount:.3f}".removesuffix("0")


class OrderLine(Discounted, Taxed):
    """Units of one variant, with name and price as they were when it was ordered."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="+")
    name = models.CharField(_("name"), max_length=400)
    sku = models.CharField(_("sku"), max_length=40)
    unit_price = models.DecimalField(_("price"), max_digits=12, decimal_places=2)
    quantity = models.PositiveIntegerField(_("quantity"))
    # For a preorder: not all of the units were on hand.
    ships_from = models.DateField(_("ships from"), null=True, blank=True)

    class Meta:
        ordering = ["id"]
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        constraints = [
            *Taxed.Meta.constraints,
            models.UniqueConstraint(
                fields=["order", "variant"], name="order_line_variant"
            ),
            models.CheckConstraint(
                condition=Q(quantity__gte=1), name="order_line_quantity_positive"
            ),
            models.CheckConstraint(
                condition=Q(line_discount__gte=0, order_discount__gte=0)
                & Q(
                    amount=F("unit_price") * F("quantity")
                    - F("line_discount")
                    - F("order_discount")
                ),
                name="order_line_amount_is_the_price",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def subtotal(self) -> Decimal:
        """The price before the order's discount."""
        return self.amount + self.order_discount


class ShippingPart(Taxed):
    """The part of an order's shipping that is taxed at one rate."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="shipping_parts")

    class Meta:
        ordering = ["id"]
        verbose_name = _("part of the shipping")
        verbose_name_plural = _("parts of the shipping")
        constraints = [
            *Taxed.Meta.constraints,
            models.UniqueConstraint(
                fields=["order", "tax_rate", "tax_code"], name="shipping_part_rate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.amount}"


class OrderEvent(models.Model):
    """An entry in an order's history. Append-only; numbered by the order's versions."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="events")
    version = models.PositiveBigIntegerField(_("version"))
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("by"),
    )
    note = models.CharField(_("note"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("at"), auto_now_add=True)

    class Meta:
        ordering = ["order", "version"]
        verbose_name = _("order event")
        verbose_name_plural = _("order events")
        constraints = [
            models.UniqueConstraint(
                fields=["order", "version"], name="order_event_version"
            )
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.status}"
