"""Only `products.pricing` adds up and multiplies money."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORDS = "price|amount|total|goods|subtotal|shipping|discount|tax|received|refunded"
MONEY = re.compile(rf"(^|_)({WORDS})s?(_|$)")
SQL_SUM = re.compile(rf"\bsum\([^)]*({WORDS})", re.IGNORECASE)
CALCULATES = (ast.Add, ast.Sub, ast.Mult)

# Modules that calculate too, and why.
ALLOWED = {
    "products/orders/models.py": "the CHECK of a line, and its price before a discount",
    "products/payments/models.py": "what is left of a payment",
    "products/payments/settling.py": "what was refunded of a payment",
    "products/stock/books.py": "compares stored sums with those of their rows",
    "products/demo/rows.py": "invents prices",
    "products/importing/encodings.py": "no money: the total of letters",
    "products/importing/languages.py": "no money: the total of letters",
    "products/search/services.py": "no money: the total of products",
}


def is_money(node: ast.AST) -> bool:
    """Whether an operand is named like money, as in `F("total")` and `order.total`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return MONEY.search(name) is not None
        case ast.Constant(value=str(name)):
            return name.isidentifier() and MONEY.search(name) is not None
        case ast.Call(args=args):
            return any(map(is_money, args))
        case ast.Subscript(slice=key):
            return is_money(key)
    return False


def calculates(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, CALCULATES):
            return is_money(left) or is_money(right)
        case ast.AugAssign(target=target, value=value):
            return is_money(target) or is_money(value)
        case ast.Call(func=ast.Name(id="sum" | "Sum"), args=args):
            return any(is_money(part) for arg in args for part in ast.walk(arg))
        case ast.Constant(value=str(text)):
            return SQL_SUM.search(text) is not None
    return False


def calculations(source: str) -> list[int]:
    """The lines that calculate with money."""
    tree = ast.parse(source)
    return sorted(node.lineno for node in ast.walk(tree) if calculates(node))


def modules() -> Iterator[tuple[str, str]]:
    """(path, source) of the shop's modules, apart from those of `products.pricing`."""
    for path in sorted((ROOT / "products").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(("products/pricing/", "products/migrations/")):
            yield name, path.read_text()


def test_money_is_calculated_nowhere_else():
    elsewhere = {name for name, source in modules() if calculations(source)}

    assert elsewhere == ALLOWED.keys()


@pytest.mark.parametrize(
    "source",
    [
        "line.quantity * product.price",
        "order.total - order.discount",
        "total += line.amount",
        "sum(line.amount for line in lines)",
        "sum(line['amount'] for line in lines)",
        "Sum('lines__amount')",
        "F('unit_price') * F('quantity')",
        "Decimal(line['price']) * 2",
        "'SELECT sum(quantity * price) FROM lines'",
    ],
)
def test_calculation_with_money_is_found(source):
    """The positive control."""
    assert calculations(source)


@pytest.mark.parametrize(
    "source",
    ["count + 1", "order.total > 0", "sum(line.quantity for line in lines)", "'total'"],
)
def test_other_calculation_is_not_found(source):
    assert not calculations(source)
