"""The basket and its lines. It reserves no stock until checkout begins."""

from datetime import date, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from products.pricing.models.discounts import Discount
from products.shipping.models import ShippingMethod
from products.sweeps.models import Swept, problem_index
from products.variants.models import Variant
from products.vat.models import NUMBER_LENGTH


class BasketQuerySet(models.QuerySet):
    """Ways to find baskets."""

    def open(self) -> "BasketQuerySet":
        """Return baskets that can still be changed."""
        return self.filter(status=Basket.Status.OPEN)

    def lapsed(self) -> "BasketQuerySet":
        """Return baskets whose hold has lapsed but whose units are still reserved."""
        return self.open().filter(held_until__lte=timezone.now())

    def stale(self) -> "BasketQuerySet":
        """Anonymous baskets that nobody touched for `STALE_BASKET_DAYS`."""
        limit = timezone.now() - timedelta(days=settings.STALE_BASKET_DAYS)
        return self.filter(user=None, held_until=None, updated_at__lt=limit).exclude(
            status=Basket.Status.ORDERED
        )


class Basket(Swept):
    """A basket of an owner: a user, or a session with the token. One may be open.

    Until `held_until` the units of its lines are reserved. After that they stay
    reserved until the lapsed hold is released (`products.basket.holds`).
    """

    class Status(models.TextChoices):
        OPEN = "open", _("open")
        MERGED = "merged", _("merged at sign-in")
        ORDERED = "ordered", _("ordered")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="baskets",
    )
    token = models.CharField(max_length=32, null=True, blank=True, editable=False)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.OPEN
    )
    version = models.PositiveBigIntegerField(_("version"), default=0)
    # Where the goods are sent, if that is known. Taxes and delivery depend on it.
    country = CountryField(_("country"), blank=True)
    postcode = models.CharField(_("postcode"), max_length=20, blank=True)
    # As the shopper gave it; it counts while it is accepted for the account.
    vat_number = models.CharField(
        _("VAT number"), max_length=NUMBER_LENGTH, blank=True, default=""
    )
    # As the shopper chose it; it counts while it is offered there.
    shipping_method = models.ForeignKey(
        ShippingMethod,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("delivery"),
    )
    # The discount whose code the shopper entered. It counts while the code is valid.
    discount = models.ForeignKey(
        Discount,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("code"),
    )
    held_since = models.DateTimeField(_("reserved since"), null=True, blank=True)
    held_until = models.DateTimeField(_("reserved until"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = BasketQuerySet.as_manager()

    class Meta:
        verbose_name = _("basket")
        verbose_name_plural = _("baskets")
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=models.Q(status="open"),
                name="basket_one_open_a_user",
            ),
            models.UniqueConstraint(
                fields=["token"],
                condition=models.Q(status="open"),
                name="basket_one_open_a_token",
            ),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) | models.Q(token__isnull=False),
                name="basket_has_an_owner",
            ),
            models.CheckConstraint(
                condition=models.Q(held_until__isnull=True)
                | models.Q(status="open", held_since__isnull=False),
                name="basket_holds_while_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["updated_at"],
                name="basket_stale",
                condition=models.Q(status="open", user__isnull=True),
            ),
            models.Index(
                fields=["held_until"],
                name="basket_held",
                condition=models.Q(held_until__isnull=False),
            ),
            problem_index("basket_problem"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class HoldSpell(models.Model):
    """A period in which an owner has held a variant, apart from short breaks.

    `products.orders.limits` uses it to limit holds, and deletes it an hour after its
    end. It belongs to the owner, so a new basket doesn't start a new period.
    """

    owner = models.CharField(max_length=40)  # `Owner.key`
    network = models.CharField(max_length=45, blank=True)  # "": this machine
    variant = models.ForeignKey(Variant, models.CASCADE, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        verbose_name = _("reservation period")
        verbose_name_plural = _("reservation periods")
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "variant"], name="hold_spell_owner_variant"
            )
        ]
        indexes = [
            models.Index(
                fields=["network", "variant"],
                name="hold_spell_network",
                condition=~models.Q(network=""),
            ),
            models.Index(fields=["until"], name="hold_spell_until"),
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.variant_id}"


class BasketLine(models.Model):
    """A variant in a basket, with its price at the time it was added."""

    basket = models.ForeignKey(Basket, models.CASCADE, related_name="lines")
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="+")
    quantity = models.PositiveIntegerField(_("quantity"))
    held = models.PositiveIntegerField(_("reserved"), default=0)
    # The day from which the reserved units ship, if not all of them were on hand.
    ships_from = models.DateField(_("ships from"), null=True, blank=True)
    price_when_added = models.DecimalField(
        _("price when added"), max_digits=12, decimal_places=2
    )

    class Meta:
        ordering = ["id"]
        verbose_name = _("basket line")
        verbose_name_plural = _("basket lines")
        constraints = [
            models.UniqueConstraint(
                fields=["basket", "variant"], name="line_basket_variant"
            ),
            models.CheckConstraint(
                condition=models.Q(quantity__gte=1), name="line_quantity_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(held=0) | models.Q(held=models.F("quantity")),
                name="line_held_wholly_or_not",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.variant_id}"

    @property
    def promised(self) -> date | None:
        """The day from which its units ship, if not all of them are here."""
        if self.held:
            return self.ships_from
        stock = self.variant.stock
        is_preorder = stock.unreserved < self.quantity <= stock.available
        return stock.ships_from if is_preorder else None
