"""The shop as many shops are: it looks whether enough is left, and then writes.

For the positive control of the checkout's races; never for anything else.
"""

import time

from project.asgi import application  # loads the apps, so it comes first

from products.stock.exceptions import NotEnoughStock  # isort: skip
from products.models import Stock  # isort: skip
from products.stock import services as stock  # isort: skip

__all__ = ["application"]


def look_and_write(quantities: dict[int, int], **kwargs) -> list:
    for variant_id, units in quantities.items():
        row = Stock.objects.get(pk=variant_id)
        if row.available < units:
            raise NotEnoughStock(variant_id, units, row.available)
        time.sleep(0.2)
        Stock.objects.filter(pk=variant_id).update(reserved=row.reserved + units)
    return []


stock.claim = look_and_write
