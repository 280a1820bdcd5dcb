"""Fields for rows that a sweep could not finish."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

PROBLEM_LENGTH = 300


class Swept(models.Model):
    """A row that sweeps work on. Only `products.sweeps.services` writes these fields.

    They have defaults in the database too, because some rows are inserted with SQL.
    """

    problem = models.CharField(
        _("problem"), max_length=PROBLEM_LENGTH, blank=True, default="", db_default=""
    )
    failures = models.PositiveSmallIntegerField(
        _("failed attempts"), default=0, db_default=0
    )
    retry_at = models.DateTimeField(_("next try"), null=True, blank=True)

    class Meta:
        abstract = True


def is_due() -> Q:
    """Return the condition for rows that a sweep may take now."""
    return Q(retry_at=None) | Q(retry_at__lte=timezone.now())


def problem_index(name: str) -> models.Index:
    """Return an index that counts a model's failed rows."""
    return models.Index(fields=["retry_at"], name=name, condition=Q(failures__gt=0))
