"""Messages about an anonymous basket that was merged into the shopper's own."""

from collections.abc import Iterable

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from products.basket.services import MergedLine

NAMED = 10  # products in one sentence


def sentences(lines: Iterable[MergedLine]) -> list[str]:
    """Return sentences about lines that were cut or left out, or are unavailable.

    Return none if all products are in the basket and can be ordered.
    """
    lines = list(lines)
    cut = [_left_out(line) for line in lines if 0 < line.quantity < line.wanted]
    without_room = [
        f"{line.wanted} × {line.variant}" for line in lines if not line.quantity
    ]
    messages = [
        (_line_limit_text(), cut),
        (_basket_limit_text(), without_room),
        (_("Not available right now: %(list)s."), _unavailable(lines)),
    ]
    return [text % {"list": _listed(items)} for text, items in messages if items]


def _line_limit_text() -> str:
    limit = settings.BASKET_LINE_LIMIT
    text = _(
        "Your basket can hold at most %(limit)d of one product. Left out: %%(list)s."
    )
    return text % {"limit": limit}


def _basket_limit_text() -> str:
    limit = settings.BASKET_LINES_LIMIT
    text = _(
        "Your basket can hold at most %(limit)d different products."
        " Left out: %%(list)s."
    )
    return text % {"limit": limit}


def _left_out(line: MergedLine) -> str:
    return _("%(left)d × %(name)s (of %(wanted)d)") % {
        "left": line.wanted - line.quantity,
        "name": line.variant,
        "wanted": line.wanted,
    }


def _unavailable(lines: list[MergedLine]) -> list[str]:
    """Describe the products of which fewer units are available than the basket has."""
    items = []
    for line in lines:
        available = line.variant.stock.available
        if line.quantity and not line.variant.is_for_sale:
            items.append(_("%(name)s (no longer sold)") % {"name": line.variant})
        elif line.quantity and available < 1:
            items.append(_("%(name)s (sold out)") % {"name": line.variant})
        elif available < line.quantity:
            text = _("%(name)s (%(left)d left, you wanted %(wanted)d)")
            values = {"left": available, "wanted": line.quantity}
            items.append(text % ({"name": line.variant} | values))
    return items


def _listed(items: list[str]) -> str:
    """Join the first `NAMED` items, and say how many more there are."""
    more = len(items) - NAMED
    if more <= 0:
        return ", ".join(items)
    rest = ngettext("%(count)d more", "%(count)d more", more) % {"count": more}
    return ", ".join([*items[:NAMED], rest])
