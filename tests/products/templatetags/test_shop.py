"""Money, moments, and structured data for search engines."""

import json
from decimal import Decimal

import pytest

from products.templatetags.shop import json_ld, moment, money


@pytest.mark.parametrize(
    "amount, shown",
    [
        (Decimal("12.5"), "€12.50"),
        ("0.00", "€0.00"),
        ("1250", "€1,250.00"),
        (7, "€7.00"),
        ("9999999999.99", "€9,999,999,999.99"),
    ],
)
def test_money_of_an_amount_has_currency_and_cents(amount, shown):
    assert money(amount) == shown


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", "<!--", "a & b", "]]>", "“ü”"]
)
def test_json_ld_with_any_text_stays_inside_its_element(text):
    html = json_ld({"name": text})

    start, end = '<script type="application/ld+json">', "</script>"
    assert html.startswith(start) and html.endswith(end)
    inside = html.removeprefix(start).removesuffix(end)
    assert "<" not in inside and ">" not in inside
    assert json.loads(inside) == {"name": text}


def test_moment_of_live_facts_is_a_local_time():
    assert moment("2026-05-04T12:30:00+02:00").isoformat() == (
        "2026-05-04T10:30:00+00:00"
    )
