"""Parts of pages that come from the cache: product cards, and the categories."""

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

from products.catalogue import chooser
from products.models import Product
from products.pagecache import caching
from products.pagecache.shells import HERE, TOKEN

register = template.Library()
register.filter(chooser.variety)
register.filter(chooser.address)

CARD_TEMPLATE = "products/_card.html"
CARDS_S = 60 * 60


@register.simple_tag(takes_context=True)
def cards(context: Context, products: Iterable[Product], eager: int = 0) -> SafeString:
    """Render a list item with a card for each product. The first `eager` cards load
    their pictures at once. Products need `offers`; there are no other queries."""
    shown = [(product, n < eager) for n, product in enumerate(products)]
    names = [_card_name(*each) for each in shown]

    def build(name: str) -> str:
        return render_card(*shown[names.index(name)])

    html = caching.cached_pieces(names, build, CARDS_S)
    items = "".join(f"<li>{html[name]}</li>" for name in names)
    return mark_safe(_filled(items, context))


def _card_name(product: Product, is_eager: bool) -> str:
    """Return a name that depends on all that the card shows, so that a cached card is
    never out of date. A sale changes the name of one card and no other."""
    content = [
        *(get_language(), is_eager, product.pk, product.name, product.slug),
        *(product.image.name, [(o.version, o.facts) for o in product.offers]),
        *(product.option_names, [(o.option_values, o.drop) for o in product.offers]),
    ]
    digest = hashlib.blake2b(json.dumps(content).encode(), digest_size=16)
    return f"card:{digest.hexdigest()}"


def render_card(product: Product, is_eager: bool) -> str:
    """Render a card with placeholders for the visitor's token and the page's path."""
    facts = {"product": product, "eager": is_eager, "csrf_token": TOKEN, "here": HERE}
    return render_to_string(CARD_TEMPLATE, facts)


def _filled(items: str, context: Context) -> str:
    token, path = str(context["csrf_token"]), context["request"].get_full_path()
    return items.replace(TOKEN, token).replace(HERE, escape(path))


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> SafeString:
    """Render the page's `categories`, with the current one marked."""
    return mark_safe(_navigations(context)["head"])


@register.simple_tag(takes_context=True)
def footer_navigation(context: Context) -> SafeString:
    """Render the page's `categories` for its footer."""
    return mark_safe(_navigations(context)["foot"])


NAVIGATIONS = "_navigations"  # in the context, so that a page looks them up once


def _navigations(context: Context) -> dict[str, str]:
    if NAVIGATIONS not in context:
        context.dicts[0][NAVIGATIONS] = _looked_up(context)
    return context[NAVIGATIONS]


def _looked_up(context: Context) -> dict[str, str]:
    here, categories = _here(context), context.get("categories")

    def build() -> dict[str, str]:
        facts = {"categories": categories, "here": here}
        return {
            "head": render_to_string("_categories.html", facts),
            "foot": render_to_string("_footer_categories.html", facts),
        }

    if categories is None:  # an error page without context: do not cache it
        return build()
    name = f"navigations:{get_language()}:{here}"
    return caching.cached(name, caching.SHELVES, build)


def _here(context: Context) -> list:
    """Return what `aria-current` marks: ["page", category], ["true", category] for a
    product of it, or ["page", None] for the list of everything; [] elsewhere."""
    category, product = context.get("category"), context.get("product")
    if category:
        return ["page", category.pk]
    if isinstance(product, Product):
        return ["true", product.category_id]
    path = getattr(context.get("request"), "path", "")
    return ["page", None] if path == reverse("products:list") else []
