"""What a drop's page shows of the visitor's own ticket."""

from math import ceil
from typing import Any

from products.drops import gates
from products.drops.states import Turn
from products.live.viewers import Owner
from products.models import BasketLine, Drop, Ticket, Variant


def own_facts(drop: Drop, ticket: Ticket | None, owner: Owner) -> dict[str, Any]:
    """Return the context of `drops/_mine.html`."""
    context: dict[str, Any] = {"ticket": ticket, "drop": drop}
    if ticket is None:
        return context
    if ticket.state == Turn.WAITING and ticket.place:
        context |= wait(drop, ticket.place)
    if ticket.state == Turn.ADMITTED:
        context["has_units"] = has_units(drop, owner)
        context["offers"] = offers(drop)
    return context


def wait(drop: Drop, place: int) -> dict[str, Any]:
    """Return how many people are before a place, and how many minutes they take.

    The script computes the same from each push.
    """
    facts = drop.facts
    ahead = max(0, place - 1 - facts["serving"])
    pace, left = facts["pace"], facts["left"]
    return {
        "ahead": ahead,
        "minutes": ceil((ahead + 1) / pace) if pace else None,
        "may_run_out": left is not None and ahead >= left,
    }


def has_units(drop: Drop, owner: Owner) -> bool:
    """Return whether the owner's basket holds units of the drop."""
    lines = BasketLine.objects.filter(variant__drop=drop.pk, held__gt=0)
    if owner.user_id:
        return lines.filter(basket__user=owner.user_id).exists()
    return lines.filter(basket__user=None, basket__token=owner.token).exists()


def offers(drop: Drop) -> list[Variant]:
    """Return the drop's variants that are for sale, with product and stock."""
    variants = gates.variants_of(drop).for_sale().with_stock()
    return list(variants.order_by("position", "pk"))
