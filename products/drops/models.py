"""Drops and the tickets of the people who take part."""

import secrets
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from products.catalogue.models import Product
from products.drops.states import (
    CURRENT,
    LIVE,
    MOVING,
    STAFF_MOVES,
    STATES,
    Move,
    State,
    Status,
    Turn,
)
from products.variants.models import Variant


def new_number() -> str:
    """Return the number of a new ticket, which nobody can guess."""
    return secrets.token_hex(8)


class DropQuerySet(models.QuerySet["Drop"]):
    """Ways to find drops."""

    def current(self) -> "DropQuerySet":
        """Return drops that are not over."""
        return self.filter(status__in=CURRENT)

    def due(self, at: datetime) -> "DropQuerySet":
        """Return drops that have begun, or should."""
        begins = Q(status=Status.PLANNED, starts_at__lte=at)
        return self.filter(begins | Q(status__in=MOVING))


class Drop(models.Model):
    """A product, or some variants of it, that goes on sale at a second.

    Its variants refer to it until it is over (`Variant.drop`), and only people whose
    turn it is may claim them. Only `products.drops.services` and `steps` write it.
    """

    product = models.ForeignKey(
        Product, models.PROTECT, related_name="drops", verbose_name=_("product")
    )
    variants = models.ManyToManyField(
        Variant,
        blank=True,
        related_name="+",
        verbose_name=_("variants"),
        help_text=_("If you choose none, the drop sells all variants."),
    )
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(_("slug"), max_length=120, unique=True)
    starts_at = models.DateTimeField(_("starts"))
    per_person = models.PositiveSmallIntegerField(
        _("units for each person"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )
    turn_s = models.PositiveIntegerField(
        _("seconds that a turn lasts"),
        default=180,
        validators=[MinValueValidator(5), MaxValueValidator(3600)],
        help_text=_("In this time, an admitted person can reserve units."),
    )
    admitted_at_once = models.PositiveIntegerField(
        _("people admitted at once"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(10_000)],
    )
    needs_account = models.BooleanField(
        _("only for accounts"),
        default=False,
        help_text=_("People need an account with a verified email address."),
    )
    # A secret until the start. Its hash is shown before, so it cannot be changed.
    seed = models.CharField(max_length=64, editable=False)
    seed_sha256 = models.CharField(max_length=64, editable=False)
    status = models.CharField(
        _("state"),
        max_length=8,
        choices=Status.choices,
        default=Status.PLANNED,
        editable=False,
    )
    version = models.PositiveBigIntegerField(default=1, editable=False)
    started_at = models.DateTimeField(_("started"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
    stepped_at = models.DateTimeField(null=True, editable=False)
    early = models.PositiveIntegerField(default=0, editable=False)  # shuffled tickets
    last_place = models.PositiveIntegerField(default=0, editable=False)
    serving = models.PositiveIntegerField(default=0, editable=False)  # admitted so far
    room = models.JSONField(default=dict, editable=False)  # as the last step counted

    objects = DropQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        verbose_name = _("drop")
        verbose_name_plural = _("drops")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("products:drop", args=[self.slug])

    @property
    def state(self) -> State:
        return STATES[Status(self.status)]

    @property
    def staff_moves(self) -> list[Move]:
        """The moves that staff can make now."""
        return [move for move in STAFF_MOVES.values() if move.allows(self.status)]

    @property
    def published_seed(self) -> str:
        """The seed, once the drop has started; empty before."""
        return self.seed if self.started_at else ""

    @property
    def facts(self) -> dict[str, Any]:
        """The facts of its live topic `drop:<id>`, which everybody may see."""
        counts = ROOM | self.room
        return {
            "drop": self.pk,
            "state": self.status,
            "starts_at": self.starts_at.isoformat(),
            "serving": self.serving,
            "at_once": self.admitted_at_once,
            **counts,
        }


# What a step counts: units left that nobody has reserved, units in baskets, people
# admitted a minute, when the first of the present turns ends, and people by state.
ROOM: dict[str, Any] = {
    **{"left": None, "held": 0, "pace": None, "ends": None},
    **dict.fromkeys(Turn.values, 0),
}


class Ticket(models.Model):
    """A place in the line of a drop. Its owner is an account, or a visitor's session.

    It has no owner if its account was deleted, or when the drop has been over for a
    while. `number` is public once the drop has started; it gives no rights.
    """

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="tickets")
    number = models.CharField(
        _("number"), max_length=16, unique=True, default=new_number, editable=False
    )
    place = models.PositiveIntegerField(_("place"), null=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="drop_tickets",
        verbose_name=_("account"),
    )
    token = models.CharField(max_length=32, null=True, editable=False)
    network = models.CharField(max_length=45, blank=True, editable=False)
    state = models.CharField(
        _("state"), max_length=8, choices=Turn.choices, default=Turn.WAITING
    )
    created_at = models.DateTimeField(_("taken"), auto_now_add=True)
    admitted_at = models.DateTimeField(_("admitted"), null=True)
    ends_at = models.DateTimeField(_("turn ends"), null=True)
    order = models.OneToOneField(
        "products.Order",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="drop_ticket",
        verbose_name=_("order"),
    )

    class Meta:
        ordering = ["drop", "place", "pk"]
        verbose_name = _("drop ticket")
        verbose_name_plural = _("drop tickets")
        constraints = [
            models.UniqueConstraint(
                fields=["drop", "user"],
                condition=Q(state__in=LIVE),
                name="ticket_one_a_user",
            ),
            models.UniqueConstraint(
                fields=["drop", "token"],
                condition=Q(state__in=LIVE),
                name="ticket_one_a_token",
            ),
            models.UniqueConstraint(
                fields=["drop", "place"], name="ticket_place_in_drop"
            ),
            models.CheckConstraint(
                condition=Q(user=None) | Q(token=None), name="ticket_has_one_owner"
            ),
            models.CheckConstraint(
                condition=~Q(state=Turn.ADMITTED)
                | Q(place__isnull=False, admitted_at__isnull=False)
                & Q(ends_at__isnull=False),
                name="ticket_turn_has_times",
            ),
        ]
        indexes = [
            models.Index(fields=["drop", "state", "place"], name="ticket_line"),
            models.Index(
                fields=["drop", "network"],
                condition=~Q(network=""),
                name="ticket_network",
            ),
        ]

    def __str__(self) -> str:
        return self.number
