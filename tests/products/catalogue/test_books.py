"""`manage.py reconcile`: products against their variants."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from products.catalogue import books
from products.models import Product, Variant
from tests.support.factories import make_options, make_variant, make_variants

pytestmark = pytest.mark.django_db


def test_products_that_agree_with_their_variants_are_not_named():
    make_variant(is_active=False)
    make_variants(3)
    make_options(
        {"sku": "B", "option_values": ["red"], "price": "3.00", "is_active": False},
        {"sku": "A", "option_values": ["blue"], "price": "4.00"},
        names=["Colour"],
    )

    assert books.drifts() == []


@pytest.mark.parametrize(
    "break_it, text",
    [
        (
            lambda: Product.objects.update(lowest_price=9),
            "lowest_price is 9.00, its variants say 4.00",
        ),
        (
            lambda: Product.objects.update(lowest_price=None),
            "lowest_price is None, its variants say 4.00",
        ),
        (
            lambda: Variant.objects.update(is_active=False),
            "lowest_price is 4.00, its variants say None",
        ),
        (
            lambda: Product.objects.update(skus=["A", "B"]),
            "skus is A, B, its variants say B, A",
        ),
        (
            lambda: Variant.objects.filter(sku="A").update(sku="C"),
            "skus is B, A, its variants say B, C",
        ),
    ],
)
def test_product_that_disagrees_with_its_variants_is_named(break_it, text):
    make_options(
        {"sku": "B", "option_values": ["red"], "price": "5.00"},
        {"sku": "A", "option_values": ["blue"], "price": "4.00"},
        names=["Colour"],
    )
    product = Product.objects.get()

    break_it()

    assert books.drifts() == [f"product {product.pk}: {text}"]
    complaints = StringIO()
    with pytest.raises(CommandError, match="1 products have drifted"):
        call_command("reconcile", stderr=complaints)
    assert text in complaints.getvalue()
