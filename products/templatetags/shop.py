"""Tags and filters for the shop's templates."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from products.pricing.tax import REASONS, REVERSE

register = template.Library()


@register.filter
def money(value: Decimal | str | int) -> str:
    """Return an amount with the sign of the shop's currency: "€1,250.00"."""
    amount = number_format(
        Decimal(value), decimal_pos=2, use_l10n=True, force_grouping=True
    )
    return f"{settings.CURRENCY_SYMBOL}{amount}"


@register.filter
def money_in(value: Decimal | str, currency: str) -> str:
    """Return an amount with its currency: "€1,250.00" or "1,250.00 USD"."""
    if currency == settings.CURRENCY:
        return money(value)
    amount = Decimal(value)
    places = 3 if amount % Decimal("0.01") else 2
    text = number_format(amount, places, use_l10n=True, force_grouping=True)
    return f"{text} {currency}"


@register.filter
def line_cost(line: Mapping[str, str]) -> str:
    """Return what a line costs, for a mail: "€9.00 (Discount SPRING: −€1.00)".

    In: the facts of the line.
    """
    cost = money(line["subtotal"])
    if not line["discount_name"]:
        return cost
    text = _("%(cost)s (Discount %(name)s: −%(saved)s)")
    saved = money(line["line_discount"])
    return text % {"cost": cost, "name": line["discount_name"], "saved": saved}


@register.filter
def tax_name(tax: dict, is_included: bool) -> str:
    """Return the name of a tax of `Sums.facts`: "19% VAT", or why there is none."""
    if tax["code"] == REVERSE:
        return str(REASONS[REVERSE])
    if tax["code"] in REASONS:
        return _("No VAT: %(reason)s") % {"reason": REASONS[tax["code"]]}
    text = _("Includes %(rate)s%% VAT") if is_included else _("%(rate)s%% VAT")
    return text % {"rate": tax["rate"]}


@register.filter
def working_days(days: Sequence[int]) -> str:
    """Return how long a delivery takes: "1–3 working days". In: from and to."""
    low, high = days
    if not high:
        return _("today")
    if low == high:
        text = ngettext("%(n)d working day", "%(n)d working days", high)
        return text % {"n": high}
    return _("%(low)d–%(high)d working days") % {"low": low, "high": high}


@register.filter
def moment(value: str | datetime) -> datetime:
    """Return the local time for an ISO 8601 text of live facts, or for a datetime."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return timezone.localtime(value)


@register.filter
def day(value: str | date) -> date:
    """Return the day for an ISO 8601 text of live facts, or for a date."""
    return date.fromisoformat(value) if isinstance(value, str) else value


@register.filter
def preorder(value: str | date) -> str:
    """Return when a preorder ships, which is a day as for `day`."""
    text = _("Preorder: ships from %(day)s")
    return text % {"day": date_format(day(value), "DATE_FORMAT")}


# Characters that could end the element or begin a comment, escaped for JSON.
JSON_ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


@register.simple_tag
def json_ld(data: dict) -> str:
    """Return structured data for search engines, as a script that `data` cannot end."""
    text = json.dumps(data, ensure_ascii=False).translate(JSON_ESCAPES)
    return format_html(
        '<script type="application/ld+json">{}</script>', mark_safe(text)
    )
