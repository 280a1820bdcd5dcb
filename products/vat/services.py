"""The rules for VAT numbers: who may give one, and who accepts it.

While a number is accepted, its business accounts for the tax of goods that it gets in
another country of the EU (`products.pricing.tax`).
"""

from celery import shared_task
from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from eu_vat_rates_data import is_eu_member
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from products.basket import renewals
from products.models import VatNumber
from products.pricing import tax
from products.sweeps import services as sweeps
from products.sweeps.models import is_due
from products.vat.exceptions import (
    BadVatNumber,
    ProviderUnreachable,
    TooManyVatNumbers,
)
from products.vat.models import NUMBER_LENGTH
from products.vat.provider import VIES, Provider, Verdict, Vies
from project.celery import later

Status = VatNumber.Status
PER_ACCOUNT = 20
AT_MOST = 50  # numbers in one run of the task


def parse(text: str) -> str:
    """Return a VAT number without spaces, with its country. Raises `BadVatNumber`."""
    try:
        number = vat.validate(text)
    except ValidationError:
        number = ""
    country = tax.country_of(number)
    if not is_eu_member(country) or len(number) > NUMBER_LENGTH:
        text = _("This is not a VAT number of the EU. Write it like DE136695976.")
        raise BadVatNumber(text)
    if country == tax.home():
        text = _(
            "We charge VAT for businesses in our own country too. Please leave this "
            "field empty."
        )
        raise BadVatNumber(text)
    return number


@transaction.atomic
def give(*, user: AbstractUser, number: str, company: str) -> VatNumber:
    """Note a number that `parse` has returned. With another company it is new.

    Raises `TooManyVatNumbers`.
    """
    row = VatNumber.objects.filter(user=user.pk, number=number).first()
    if row is None:
        if VatNumber.objects.filter(user=user.pk).count() >= PER_ACCOUNT:
            raise TooManyVatNumbers
        values = {"company": company}
        row, _is_new = VatNumber.objects.get_or_create(
            user_id=user.pk, number=number, defaults=values
        )
    if row.company != company:
        row = _change(row, company=company, status=Status.GIVEN)
    if row.status == Status.GIVEN and provider():
        transaction.on_commit(lambda: later(check_vat_numbers), robust=True)
    return row


def accept(number: VatNumber, *, by: AbstractUser | None = None) -> VatNumber:
    """Accept a number, by staff or by the provider."""
    return _decide(number, Status.ACCEPTED, by)


def refuse(number: VatNumber, *, by: AbstractUser | None = None) -> VatNumber:
    """Refuse a number, by staff or by the provider."""
    return _decide(number, Status.REFUSED, by)


def find(user_id: int | None, number: str) -> VatNumber | None:
    """Return the row of a number that an account has given."""
    if not (user_id and number):
        return None
    return VatNumber.objects.filter(user=user_id, number=number).first()


def accepted(user_id: int | None, number: str) -> str:
    """Return the number if it is accepted for the account, or ""."""
    row = find(user_id, number)
    return number if row and row.status == Status.ACCEPTED else ""


# --- The provider -----------------------------------------------------------------


def provider() -> Provider | None:
    """Return the provider that checks numbers, or None if only staff do."""
    return Vies(settings.VIES_ADDRESS or VIES) if settings.VIES_CHECK else None


@shared_task
def check_vat_numbers() -> int:
    """Let the provider check numbers; return about how many it has decided.

    If it does not answer, a number stays as it is and is checked later.
    """
    checks = provider()
    if checks is None:
        return 0
    rows = VatNumber.objects.given().filter(is_due()).order_by("pk")[:AT_MOST]
    return sweeps.each(rows, lambda row: _check(row, checks))


def _check(number: VatNumber, checks: Provider) -> bool:
    verdict = checks.check(number.number)
    if verdict is Verdict.UNREACHABLE:
        raise ProviderUnreachable
    status = Status.ACCEPTED if verdict is Verdict.ACCEPTED else Status.REFUSED
    _decide(number, status, None)
    return True


# --- Writing ----------------------------------------------------------------------


def _decide(number: VatNumber, status: Status, by: AbstractUser | None) -> VatNumber:
    return _change(
        number,
        company=number.company,
        status=status,
        decided_by_id=by and by.pk,
        decided_at=timezone.now(),
    )


@transaction.atomic
def _change(number: VatNumber, *, status: Status, **values: object) -> VatNumber:
    """Write the row and push the baskets whose taxes depend on it.

    The provider never overrules staff, nor decides about another company than the one
    it was asked about.
    """
    renewals.vat_number_changed(number.user_id, number.number)
    row = VatNumber.objects.select_for_update().get(pk=number.pk)
    if status != Status.GIVEN and not values["decided_by_id"]:
        if row.status != Status.GIVEN or row.company != number.company:
            return row
    row.status = status
    row.decided_by_id = row.decided_at = None
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    return row
