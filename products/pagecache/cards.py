"""Cards of products. A list shows two dozen, of which most look alike.

The template makes one card of each *kind*: of a stand-in, whose values are such as no
template has of its own. They are the holes into which each product's values go. So
whatever the template decides by must be in `Kind`.
"""

import functools
import re
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.template import Template
from django.template.loader import get_template, render_to_string
from django.utils.html import escape
from django.utils.translation import get_language

from products.models import Product
from products.pagecache.shells import HERE, TOKEN
from products.templatetags.shop import money

TEMPLATE = "products/_card.html"
SIZES = ["image_small", "image_medium", "image_large"]
SLUG = "a-slug-that-stands-in"
NO_PRICE = "stand-in:no-price"  # no template writes it
HUGE = 7_000_000_000_000  # no number in a template is as large


class Kind(NamedTuple):
    """What makes one card look other than another."""

    language: str
    is_eager: bool
    has_picture: bool
    state: str


def card(product: Product, is_eager: bool) -> str:
    """The card, with `shells.TOKEN` and `shells.HERE` in it; needs `stock`. One that is
    eager loads its picture at once."""
    state = product.stock_facts["state"]
    kind = Kind(get_language(), is_eager, bool(product.image), state)
    values = _written(product)
    parts = _mould(get_template(TEMPLATE).template, kind)
    return "".join([values[p] if isinstance(p, int) else p for p in parts])


@functools.lru_cache(maxsize=256)
def _mould(template: Template, kind: Kind) -> list[str | int]:
    """A card of this kind, cut at its holes: a number says which value goes there.

    Whoever edits the template sees that, as it is another one once it is read again.
    """
    product = _stand_in(kind)
    facts = {"product": product, "eager": kind.is_eager}
    html = render_to_string(TEMPLATE, facts | {"csrf_token": TOKEN, "here": HERE})
    holes = _written(product)
    parts = re.split(f"({'|'.join(map(re.escape, holes))})", html)
    return [holes.index(part) if part in holes else part for part in parts]


def _written(product: Any) -> list[str]:
    """A product's values as the template writes them."""
    offer = product.stock_facts
    price = NO_PRICE if offer["price"] is None else money(offer["price"])
    values = [
        *(product.pk, product.name, product.slug),
        *(product.stock.version, offer["available"], price),
    ]
    if product.image:
        values += [getattr(product, size).url for size in SIZES]
    return [escape(value) for value in values]


def _stand_in(kind: Kind) -> Any:
    offer = {
        "product": HUGE + 1,
        "available": HUGE + 2,
        "price": None if kind.state == "gone" else str(HUGE + 3),
        "state": kind.state,
    }
    return SimpleNamespace(
        pk=HUGE + 1,
        name="stand-in:name",
        slug=SLUG,
        get_absolute_url=Product(slug=SLUG).get_absolute_url,
        image=kind.has_picture,
        **{size: SimpleNamespace(url=f"stand-in:{size}") for size in SIZES},
        stock=SimpleNamespace(version=HUGE + 4),
        stock_facts=offer,
    )
