"""Tags and filters of the shop's templates."""

import json
from datetime import datetime
from decimal import Decimal

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import mark_safe

register = template.Library()


@register.filter
def money(value: Decimal | str | int) -> str:
    """An amount (Decimal or decimal string) with the shop's currency: "€1,250.00"."""
    amount = number_format(
        Decimal(value), decimal_pos=2, use_l10n=True, force_grouping=True
    )
    return f"{settings.CURRENCY_SYMBOL}{amount}"


@register.filter
def money_in(value: Decimal | str, currency: str) -> str:
    """An amount in any currency: as `money` in the shop's, else "1,250.00 USD"."""
    if currency == settings.CURRENCY:
        return money(value)
    amount = Decimal(value)
    places = 3 if amount % Decimal("0.01") else 2
    text = number_format(amount, places, use_l10n=True, force_grouping=True)
    return f"{text} {currency}"


@register.filter
def moment(value: str | datetime) -> datetime:
    """A moment as live facts spell it (ISO 8601), for `date` and its kin."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return timezone.localtime(value)


# What would end the element or start a comment, as JSON writes it otherwise.
JSON_ESCAPES = {ord("<"): "\\u003C", ord(">"): "\\u003E", ord("&"): "\\u0026"}


@register.simple_tag
def json_ld(data: dict) -> str:
    """Structured data for search engines; nothing in `data` can end the element."""
    text = json.dumps(data, ensure_ascii=False).translate(JSON_ESCAPES)
    return format_html(
        '<script type="application/ld+json">{}</script>', mark_safe(text)
    )
