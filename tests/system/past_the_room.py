"""The shop with a hole in a drop's room: whoever asks is let in.

For the positive control of the load test; never for anything else.
"""

from project.asgi import application  # loads the apps, so it comes first

from products.drops import admission  # isort: skip

__all__ = ["application"]


def everybody(basket, lines) -> list[int]:
    return [line.variant.drop_id for line in lines if line.variant.drop_id]


admission.check = everybody
admission.is_admitted = lambda basket, drop_id: True
