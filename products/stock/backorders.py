"""Backorders: units of a variant that are sold before they are here."""

from datetime import date

from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from products.catalogue.exceptions import UnknownProduct
from products.models import Stock
from products.stock import services as stock
from products.stock.exceptions import StockConflict
from products.stock.services import Level

MOST = 1_000_000


@transaction.atomic
def set_limit(
    variant_id: int,
    limit: int,
    ships_from: date | None,
    *,
    actor: AbstractUser | None = None,
) -> Level:
    """Let that many units be sold before they are here, from a day on; 0: none.

    Raises `StockConflict` if more are sold already, or if the day is missing.
    """
    if not 0 <= limit <= MOST:
        raise StockConflict(_("Enter a limit from 0 to %(most)d.") % {"most": MOST})
    if limit and ships_from is None:
        raise StockConflict(_("Enter the day from which preorders ship."))
    row = Stock.objects.select_for_update().filter(pk=variant_id).first()
    if row is None:
        raise UnknownProduct
    owed = max(row.reserved - row.on_hand, 0)
    if limit < owed:
        text = _("%(owed)d units are sold already and are not here yet.")
        raise StockConflict(text % {"owed": owed})
    day = ships_from if limit else None
    Stock.objects.filter(pk=variant_id).update(backorder_limit=limit, ships_from=day)
    return stock.offer_changed(variant_id, note=_note(limit, day), actor=actor)


def _note(limit: int, day: date | None) -> str:
    if day is None:
        return _("No preorders.")
    text = _("Preorders: up to %(limit)d, from %(day)s.")
    return text % {"limit": limit, "day": date_format(day, "SHORT_DATE_FORMAT")}
