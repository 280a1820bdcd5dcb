"""Changes of products that shoppers see at once."""

from django.contrib.auth.models import AbstractUser
from django.db import transaction

from products.models import Product, Stock
from products.services import basket, stock


@transaction.atomic
def save(product: Product, *, actor: AbstractUser | None = None) -> Product:
    """Write a product, and its empty stock if it has none; push what shoppers see.

    A changed price or activity reaches the pages that show the product and the
    baskets that hold it.
    """
    if product.pk is None:
        product.save()
        Stock.objects.create(product=product)
        return product
    # Without its key: lines and movements, which refer to the product, need not wait.
    before = Product.objects.select_for_update(no_key=True).get(pk=product.pk)
    if not _offer_differs(product, before):
        product.save()
        Stock.objects.get_or_create(product_id=product.pk)
        return product
    # A new slug locks the key too, so all that others hold while they want it comes
    # first: baskets, then stock.
    told = basket.prices_changed(product.pk)
    Stock.objects.select_for_update().get_or_create(product_id=product.pk)
    product.save()
    stock.offer_changed(product.pk, note=_note(before, product), actor=actor)

    def tell_latecomers() -> None:
        # Who put it in before the commit pushed a basket with the price of then.
        basket.prices_changed(product.pk, except_for=told)

    transaction.on_commit(tell_latecomers)
    return product


def _offer_differs(one: Product, other: Product) -> bool:
    return (one.price, one.is_active) != (other.price, other.is_active)


def _note(before: Product, after: Product) -> str:
    changes = []
    if before.price != after.price:
        changes.append(f"{before.price} → {after.price}")
    if before.is_active != after.is_active:
        changes.append("active" if after.is_active else "inactive")
    return ", ".join(changes)
