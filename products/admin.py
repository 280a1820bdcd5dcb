"""Django loads the admin from here; each domain has its own `admin` module."""

from products.basket.admin import BasketAdmin
from products.catalogue.admin import ProductAdmin, ProductCategoryAdmin
from products.drops.admin import DropAdmin, TicketAdmin
from products.fetching.admin import PictureFetchAdmin
from products.orders.admin import OrderAdmin
from products.payments.admin import PaymentAdmin, WebhookEventAdmin
from products.pricing.admin import (
    DiscountAdmin,
    PriceChangeAdmin,
    SaleAdmin,
    TaxClassAdmin,
    TaxRateAdmin,
)
from products.shipping.admin import ShippingZoneAdmin
from products.stock.admin import StockAdmin, StockMovementAdmin
from products.vat.admin import VatNumberAdmin
from products.waiting.admin import WaitingAdmin

__all__ = [
    "BasketAdmin",
    "DiscountAdmin",
    "DropAdmin",
    "OrderAdmin",
    "PaymentAdmin",
    "PictureFetchAdmin",
    "PriceChangeAdmin",
    "ProductAdmin",
    "ProductCategoryAdmin",
    "SaleAdmin",
    "ShippingZoneAdmin",
    "StockAdmin",
    "StockMovementAdmin",
    "TaxClassAdmin",
    "TaxRateAdmin",
    "VatNumberAdmin",
    "TicketAdmin",
    "WaitingAdmin",
    "WebhookEventAdmin",
]
