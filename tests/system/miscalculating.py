"""The shop with a wrong sum: each tax is one cent too high.

For the positive control of the load test; never for anything else.
"""

from decimal import Decimal

from project.asgi import application  # loads the apps, so it comes first

from products.pricing import quote  # isort: skip

__all__ = ["application"]

right = quote._tax_of


def one_cent_more(amount: int, rate: Decimal, gross_prices: bool) -> int:
    return right(amount, rate, gross_prices) + (1 if amount else 0)


quote._tax_of = one_cent_more
