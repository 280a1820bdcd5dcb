"""Checks that discounts agree with the orders that have them.

A use keeps what the discount took off when the order was placed.
"""

from django.db import connection
from django.db.models import F

from products.models import Discount
from products.pricing.discount_flips import COUNTED

# One row for each line, order or use that disagrees. With reverse charge, an amount is
# taken off without its tax: then it is less than that of the use.
LINES = """
SELECT 'order ' || o.number || ': the discount of ' || l.sku || ' is '
    || l.line_discount || ', its use says ' || e.expected
FROM products_orderline AS l JOIN products_order AS o ON o.id = l.order_id
LEFT JOIN products_discountuse AS u
    ON u.order_id = l.order_id AND u.discount_id = l.discount_id
CROSS JOIN LATERAL (
    SELECT round(CASE
        WHEN u.percent IS NOT NULL THEN l.unit_price * l.quantity * u.percent / 100
        WHEN u.amount IS NOT NULL THEN least(u.amount, l.unit_price) * l.quantity
        ELSE 0 END, 2)
) AS e (expected)
WHERE l.line_discount <> e.expected
    AND NOT (l.tax_code = 'reverse' AND u.percent IS NULL
             AND l.line_discount BETWEEN 0 AND e.expected)
ORDER BY l.id
"""
ORDERS = """
SELECT 'order ' || o.number || ': its discount is ' || o.discount
    || ', its use says ' || e.expected
FROM products_order AS o
LEFT JOIN LATERAL (
    SELECT u.percent, u.amount
    FROM products_discountuse AS u JOIN products_discount AS d ON d.id = u.discount_id
    WHERE u.order_id = o.id AND NOT d.is_on_lines
) AS u ON true
CROSS JOIN LATERAL (
    SELECT round(CASE
        WHEN u.percent IS NOT NULL THEN o.goods * u.percent / 100
        WHEN u.amount IS NOT NULL THEN least(u.amount, o.goods)
        ELSE 0 END, 2)
) AS e (expected)
WHERE o.discount <> e.expected
    AND NOT (u.percent IS NULL AND o.discount BETWEEN 0 AND e.expected AND EXISTS (
        SELECT FROM products_orderline AS l
        WHERE l.order_id = o.id AND l.tax_code = 'reverse'
    ))
ORDER BY o.id
"""
UNUSED = """
SELECT 'order ' || o.number || ': no line has the discount of a use: '
    || coalesce(nullif(d.code, ''), d.name)
FROM products_discountuse AS u
JOIN products_discount AS d ON d.id = u.discount_id
JOIN products_order AS o ON o.id = u.order_id
WHERE d.is_on_lines AND NOT EXISTS (
    SELECT FROM products_orderline AS l
    WHERE l.order_id = u.order_id AND l.discount_id = u.discount_id
) ORDER BY u.id
"""


def drifts() -> list[str]:
    """Return a sentence for each discount whose uses are not those of its orders, and
    for each order whose discounts are not those of its uses."""
    rows = Discount.objects.annotate(counted=COUNTED)
    found = [
        f"discount {row}: uses is {row.uses}, its orders say {row.counted}"
        for row in rows.exclude(uses=F("counted")).order_by("pk")
    ]
    with connection.cursor() as cursor:
        for query in (LINES, ORDERS, UNUSED):
            cursor.execute(query)
            found += [text for (text,) in cursor.fetchall()]
    return found
