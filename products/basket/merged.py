"""What a shopper is told when the basket of before their sign-in joins their own."""

from collections.abc import Iterable

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from products.basket.services import MergedLine

NAMED = 10  # products in one sentence


def sentences(lines: Iterable[MergedLine]) -> list[str]:
    """A sentence each for what did not fit and for what cannot be had; none if all of
    it is in the basket and can be ordered."""
    lines = list(lines)
    told = [
        (_capped(), [_left_out(p) for p in lines if 0 < p.kept < p.asked]),
        (_full(), [f"{p.asked} × {p.product}" for p in lines if not p.kept]),
        (_("Not available right now: %(list)s."), _scarce(lines)),
    ]
    return [text % {"list": _listed(items)} for text, items in told if items]


def _capped() -> str:
    limit = settings.BASKET_LINE_LIMIT
    text = _(
        "Your basket can hold at most %(limit)d of one product. Left out: %%(list)s."
    )
    return text % {"limit": limit}


def _full() -> str:
    limit = settings.BASKET_LINES_LIMIT
    text = _(
        "Your basket can hold at most %(limit)d different products."
        " Left out: %%(list)s."
    )
    return text % {"limit": limit}


def _left_out(line: MergedLine) -> str:
    return _("%(left)d × %(name)s (of %(asked)d)") % {
        "left": line.asked - line.kept,
        "name": line.product,
        "asked": line.asked,
    }


def _scarce(lines: list[MergedLine]) -> list[str]:
    scarce = []
    for line in lines:
        available = line.product.stock.available
        if line.kept and not line.product.is_active:
            scarce.append(_("%(name)s (no longer sold)") % {"name": line.product})
        elif line.kept and available < 1:
            scarce.append(_("%(name)s (sold out)") % {"name": line.product})
        elif available < line.kept:
            text = _("%(name)s (%(left)d left, your basket asks for %(asked)d)")
            values = {"left": available, "asked": line.kept}
            scarce.append(text % ({"name": line.product} | values))
    return scarce


def _listed(items: list[str]) -> str:
    more = len(items) - NAMED
    if more <= 0:
        return ", ".join(items)
    rest = ngettext("%(count)d more", "%(count)d more", more) % {"count": more}
    return ", ".join([*items[:NAMED], rest])
