"""The columns of what holds for some time and then changes what pages show."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from products.sweeps.models import Swept


class TimedQuerySet(models.QuerySet):
    """Ways to find what holds at some time."""

    def unsettled(self, at: datetime) -> Self:
        """Return rows that began, ended or changed since pages followed them."""
        began = Q(starts_at__lte=at, settled_at__lt=F("starts_at"))
        ended = Q(ends_at__lte=at, settled_at__lt=F("ends_at"))
        return self.filter(Q(settled_at=None) | began | ended)

    def unended(self, at: datetime) -> Self:
        """Return rows that hold, or will."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=at))

    def running(self, at: datetime) -> Self:
        return self.unended(at).filter(starts_at__lte=at)

    def seconds_to_next(self, at: datetime) -> float | None:
        """Return how long it is until the next row begins or ends; None without one."""
        edges = self.unended(at).values_list("starts_at", "ends_at")
        times = [edge for row in edges for edge in row if edge is not None]
        coming = [edge for edge in times if edge > at]
        return (min(coming) - at).total_seconds() if coming else None


class Timed(Swept):
    """Something that holds from its first moment until before its last, by the
    database's clock. A task settles it: then pages follow it."""

    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    # Pages follow it as it was at this moment; None: as it was before a change.
    settled_at = models.DateTimeField(null=True, editable=False)

    objects = TimedQuerySet.as_manager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="%(class)s_ends_after_its_start",
            ),
        ]
