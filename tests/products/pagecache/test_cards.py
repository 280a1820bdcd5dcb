"""A card out of its mould is the card that its template makes."""

from decimal import Decimal
from pathlib import Path

import pytest
from django.template.loader import get_template, render_to_string
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as any_of

from products.models import Product, Stock
from products.pagecache import cards
from products.pagecache.shells import HERE, TOKEN

NUMBERS = any_of.integers(0, 2**31 - 1)
PRICES = any_of.decimals(0, 9_999_999_999, places=2)
TEXTS = any_of.text(max_size=160)


def make(**fields) -> Product:
    """A product that is in no database."""
    usual = {"pk": 7, "name": "Lamp", "slug": "lamp", "price": Decimal("12.50")}
    on_hand, version = fields.pop("on_hand", 10), fields.pop("version", 3)
    product = Product(**usual | fields)
    product.stock = Stock(product=product, on_hand=on_hand, version=version)
    return product


def rendered(product: Product, is_eager: bool) -> str:
    facts = {"product": product, "eager": is_eager, "csrf_token": TOKEN, "here": HERE}
    return render_to_string(cards.TEMPLATE, facts)


@settings(max_examples=200, deadline=None)
@given(
    on_hand=NUMBERS | any_of.integers(0, 12),
    version=NUMBERS,
    pk=NUMBERS,
    price=PRICES,
    name=TEXTS,
    slug=any_of.from_regex(r"[-a-zA-Z0-9_]{1,180}", fullmatch=True),
    image=any_of.sampled_from(["", "products/lamp.png", "products/a b&c<é>.png"]),
    is_active=any_of.booleans(),
    is_eager=any_of.booleans(),
)
def test_card_of_any_product_is_what_the_template_makes(is_eager, **fields):
    product = make(**fields)

    assert cards.card(product, is_eager) == rendered(product, is_eager)


@pytest.mark.parametrize("language", ["en", "de", "ru"])
def test_card_in_another_language_is_what_the_template_makes_there(language):
    product = make(price=Decimal("1250.00"))
    cards.card(product, False)

    with override(language):
        assert cards.card(product, False) == rendered(product, False)


def test_card_of_a_product_called_as_what_stands_in_keeps_its_name():
    product = make(name=f"stand-in:name {cards.HUGE + 2}", slug=cards.SLUG)

    assert cards.card(product, False) == rendered(product, False)


def test_card_of_hostile_text_is_escaped():
    shown = cards.card(make(name='"><script>alert(1)</script>'), False)

    assert "<script>" not in shown and "&lt;script&gt;" in shown


@pytest.fixture
def template(tmp_path: Path, settings) -> Path:
    """A template of cards that may be changed."""
    file = tmp_path / "products" / "_card.html"
    file.parent.mkdir()
    settings.TEMPLATES = [settings.TEMPLATES[0] | {"DIRS": [tmp_path]}]
    return file


def test_card_in_another_language_is_not_of_the_first(template):
    template.write_text("{% load i18n %}{% translate 'Delete' %}")  # Django has that
    assert cards.card(make(), False) == "Delete"

    with override("de"):
        assert cards.card(make(), False) == "Löschen"


def test_card_follows_its_template_when_that_is_read_again(template):
    """As when somebody edits it while the shop runs with DEBUG."""
    template.write_text("Old {{ product.name }}")
    assert cards.card(make(), False) == "Old Lamp"

    template.write_text("New {{ product.name }}")
    for loader in get_template(cards.TEMPLATE).template.engine.template_loaders:
        loader.reset()

    assert cards.card(make(), False) == "New Lamp"
