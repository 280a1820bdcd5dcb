"""The shop's tables: catalogue, stock and basket."""

from products.models.basket import Basket, BasketLine, HoldSpell
from products.models.catalogue import Product, ProductCategory
from products.models.order import Order, OrderEvent, OrderLine
from products.models.payment import Dispute, Payment, Refund, WebhookEvent
from products.models.search import SearchWord
from products.models.stock import Stock, StockMovement
from products.models.waiting import StockAlert, Waiting

__all__ = [
    "Basket",
    "BasketLine",
    "Dispute",
    "HoldSpell",
    "Order",
    "OrderEvent",
    "OrderLine",
    "Payment",
    "Product",
    "ProductCategory",
    "Refund",
    "SearchWord",
    "Stock",
    "StockAlert",
    "StockMovement",
    "Waiting",
    "WebhookEvent",
]
