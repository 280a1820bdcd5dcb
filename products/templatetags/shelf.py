"""Pieces of pages that are kept ready: cards of products, and the categories."""

import hashlib
import json
from collections.abc import Iterable

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from products.models import Product
from products.pagecache import caching
from products.pagecache.cards import card
from products.pagecache.shells import HERE, TOKEN

register = template.Library()

CARDS_S = 60 * 60


@register.simple_tag(takes_context=True)
def cards(context: Context, products: Iterable[Product], eager: int = 0) -> SafeString:
    """A list item with a card for each product; the first `eager` load their pictures
    at once. Needs `stock` and nothing else of the database."""
    wanted = [(product, n < eager) for n, product in enumerate(products)]
    names = [_name(*each) for each in wanted]

    def build(name: str) -> str:
        return card(*wanted[names.index(name)])

    found = caching.cached_pieces(names, build, CARDS_S)
    items = "".join(f"<li>{found[name]}</li>" for name in names)
    return mark_safe(_filled(items, context))


def _name(product: Product, eager: bool) -> str:
    """Named by all that it shows, a card is never out of date. A sale makes another
    of one product and leaves the rest of the shelf as it is."""
    shown = [
        *(get_language(), eager, product.pk, product.name, product.slug),
        *(product.image.name, product.stock.version, product.stock_facts),
    ]
    digest = hashlib.blake2b(json.dumps(shown).encode(), digest_size=16)
    return f"card:{digest.hexdigest()}"


def _filled(items: str, context: Context) -> str:
    token, place = str(context["csrf_token"]), context["request"].get_full_path()
    return items.replace(TOKEN, token).replace(HERE, escape(place))


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> SafeString:
    """The page's `categories`, with the one marked in which it is."""
    here, categories = _here(context), context.get("categories")

    def build() -> str:
        return render_to_string(
            "_categories.html", {"categories": categories, "here": here}
        )

    if categories is None:  # a page without context: it must not be everybody's
        return mark_safe(build())
    name = f"navigation:{get_language()}:{here}"
    return mark_safe(caching.cached(name, caching.SHELVES, build))


def _here(context: Context) -> list:
    """What is current for `aria-current`: ["page", category], ["true", category] for a
    page below it, or ["page", None] for everything; [] elsewhere."""
    category, product = context.get("category"), context.get("product")
    if category:
        return ["page", category.pk]
    if isinstance(product, Product):
        return ["true", product.category_id]
    path = getattr(context.get("request"), "path", "")
    return ["page", None] if path == reverse("products:list") else []
