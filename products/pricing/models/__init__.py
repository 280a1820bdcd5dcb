"""Tax classes and rates, and the columns of prices and agreed amounts.

Products and orders need these. Sales and the history of prices need products, so they
are imported from their own modules.
"""

from products.pricing.models.prices import Priced, Prices
from products.pricing.models.rules import RulesVersion
from products.pricing.models.tax import TaxClass, Taxed, TaxRate, Totals, amount_field

__all__ = [
    "Priced",
    "Prices",
    "RulesVersion",
    "TaxClass",
    "TaxRate",
    "Taxed",
    "Totals",
    "amount_field",
]
