"""The shop's tables: catalogue, stock and basket."""

from products.models.basket import Basket, BasketLine
from products.models.catalogue import Product, ProductCategory
from products.models.stock import Stock, StockMovement

__all__ = [
    "Basket",
    "BasketLine",
    "Product",
    "ProductCategory",
    "Stock",
    "StockMovement",
]
