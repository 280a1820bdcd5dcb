"""The VAT numbers that businesses give."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from products.sweeps.models import Swept, problem_index

NUMBER_LENGTH, COMPANY_LENGTH = 20, 120


class Business(models.Model):
    """The business that gets the goods, if it gave a VAT number."""

    company = models.CharField(
        _("company"), max_length=COMPANY_LENGTH, blank=True, default=""
    )
    vat_number = models.CharField(
        _("VAT number"), max_length=NUMBER_LENGTH, blank=True, default=""
    )

    class Meta:
        abstract = True


class VatNumberQuerySet(models.QuerySet):
    """Ways to find VAT numbers."""

    def given(self) -> "VatNumberQuerySet":
        """Return numbers about which nobody has decided yet."""
        return self.filter(status=VatNumber.Status.GIVEN)

    def accepted(self) -> "VatNumberQuerySet":
        """Return numbers with which orders may be placed without tax."""
        return self.filter(status=VatNumber.Status.ACCEPTED)


class VatNumber(Swept):
    """The VAT number of a company, for the account that has given it.

    Only `products.vat.services` writes it.
    """

    class Status(models.TextChoices):
        GIVEN = "given", _("given")
        ACCEPTED = "accepted", _("accepted")
        REFUSED = "refused", _("refused")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="vat_numbers",
        verbose_name=_("person"),
    )
    number = models.CharField(_("VAT number"), max_length=NUMBER_LENGTH)
    company = models.CharField(_("company"), max_length=COMPANY_LENGTH)
    status = models.CharField(
        _("status"), max_length=8, choices=Status.choices, default=Status.GIVEN
    )
    # Nobody, if a provider has decided.
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = VatNumberQuerySet.as_manager()

    class Meta:
        verbose_name = _("VAT number")
        verbose_name_plural = _("VAT numbers")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "number"], name="vat_number_once_an_account"
            ),
            models.CheckConstraint(
                condition=Q(status="given", decided_at=None)
                | Q(status__in=["accepted", "refused"], decided_at__isnull=False),
                name="vat_number_decided_at_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["retry_at"],
                name="vat_number_given",
                condition=Q(status="given"),
            ),
            problem_index("vat_number_problem"),
        ]

    def __str__(self) -> str:
        return self.number
