"""All models of the shop; each domain has its own `models` module."""

from products.basket.models import Basket, BasketLine, HoldSpell
from products.catalogue.models import Product, ProductCategory
from products.drops.models import Drop, Ticket
from products.fetching.models import PictureFetch, PictureJob
from products.orders.models import Order, OrderEvent, OrderLine, ShippingPart
from products.payments.models import Dispute, Payment, Refund, WebhookEvent
from products.pictures.models import ProductImage
from products.pricing.models import Prices, RulesVersion, TaxClass, TaxRate
from products.pricing.models.discounts import Discount, DiscountUse
from products.pricing.models.history import PriceChange
from products.pricing.models.sales import Sale
from products.search.models import SearchWord
from products.shipping.models import ShippingMethod, ShippingRate, ShippingZone
from products.stock.models import MovementKind, Stock, StockAlert, StockMovement
from products.variants.models import Variant
from products.vat.models import VatNumber
from products.waiting.models import Waiting

__all__ = [
    "Basket",
    "BasketLine",
    "Discount",
    "DiscountUse",
    "Dispute",
    "Drop",
    "HoldSpell",
    "MovementKind",
    "Order",
    "OrderEvent",
    "OrderLine",
    "Payment",
    "PictureFetch",
    "PictureJob",
    "PriceChange",
    "Prices",
    "Product",
    "ProductCategory",
    "ProductImage",
    "Refund",
    "RulesVersion",
    "Sale",
    "SearchWord",
    "ShippingMethod",
    "ShippingPart",
    "ShippingRate",
    "ShippingZone",
    "Stock",
    "StockAlert",
    "StockMovement",
    "TaxClass",
    "TaxRate",
    "Ticket",
    "Variant",
    "VatNumber",
    "Waiting",
    "WebhookEvent",
]
