"""Only the table of states names the states and the moves of orders."""

import ast
import re
from collections.abc import Iterator

import pytest

from products.orders import states
from tests.test_structure import ROOT

STATUSES = set(states.Status.values)
WORDS = STATUSES | {move.name for move in states.MOVES}
# The table, and the row with its constraints.
TABLE = {"products/orders/states.py", "products/orders/models.py"}
# Where the same words mean something else.
HOMONYMS = {
    "products/payments/interface.py": {"paid"},  # a kind of event
    "products/payments/models.py": {"Status"},  # of payments
    "products/payments/states.py": {"pending", "paid"},  # of refunds and payments
    "products/payments/stripe_events.py": {"pending", "paid"},  # Stripe's words
    "products/payments/webhooks.py": {"paid"},  # the outcome of an event
    "products/stock/models.py": {"shipped"},  # the reason of a movement
    "users/verification.py": {"expired"},  # of a link
    "users/views/verification.py": {"expired"},
    "templates/account/email_confirm.html": {"expired"},
    "templates/allauth/elements/button.html": {"cancel"},  # a look
}


def in_python(source: str) -> Iterator[str]:
    """Yield each state and move that is named in Python."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)) if text in WORDS:
                yield text
            case ast.Attribute(value=ast.Name(id="Order" | "states"), attr="Status"):
                yield "Status"
            case ast.ImportFrom(module=str(module)) if "orders" in module:
                yield from (name.name for name in node.names if name.name == "Status")


def in_template(source: str) -> Iterator[str]:
    """Yield each state and move that is named in a tag, or in data for a script. Words
    in texts and in names of classes are left out."""
    source = re.sub(r"{% translate .*?%}", "", source)
    tags = " ".join(re.findall(r"{[%{].*?[%}]}", source))
    quoted = " ".join(re.findall(r"""["']([\w -]+)["']""", tags)).split()
    looked_up = re.findall(r"\.(\w+)", tags)
    data = re.findall(r'data-[\w-]+="([\w-]+)"', source)
    yield from WORDS.intersection([*quoted, *looked_up, *data])


def in_script(source: str) -> Iterator[str]:
    """Yield each state and move that is a string in a script."""
    yield from WORDS.intersection(re.findall(r"""["'`]([\w-]+)["'`]""", source))


def in_style_sheet(source: str) -> Iterator[str]:
    """Yield each state and move that a class or an attribute is named after."""
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.S)
    modifiers = re.findall(r"\.[\w-]+?--([\w-]+)", source)
    values = re.findall(r"\[[\w-]+[~|^$*]?=[\"']?([\w-]+)", source)
    yield from WORDS.intersection([*modifiers, *values])


READERS = [
    ("*.py", in_python),
    ("*.html", in_template),
    ("*.txt", in_template),
    ("*.js", in_script),
    ("*.css", in_style_sheet),
]


def test_states_and_moves_are_named_in_their_table_alone():
    uses = {}
    for folder in ("products", "project", "realtime", "users", "templates", "static"):
        for pattern, read in READERS:
            for path in (ROOT / folder).rglob(pattern):
                name = str(path.relative_to(ROOT))
                if name in TABLE or "migrations" in name:
                    continue
                words = set(read(path.read_text())) - HOMONYMS.get(name, set())
                if words:
                    uses[name] = sorted(words)

    assert uses == {}


# --- Payments ---------------------------------------------------------------------

# The table, the rows with their constraints, and the translation of Stripe's words.
PAYMENT_TABLE = {
    "products/payments/states.py",
    "products/payments/models.py",
    "products/payments/stripe_events.py",
}


def payment_states_in(source: str) -> Iterator[str]:
    """Yield each state of payments, refunds and disputes that is named in Python."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=model), attr="Status") if model in (
                *("Payment", "Refund", "Dispute"),
            ):
                yield f"{model}.Status"
            case ast.Attribute(
                value=ast.Name(id="Status" | "RefundStatus" | "DisputeStatus")
            ):
                yield node.attr
            case ast.keyword(arg="status" | "status__in", value=value):
                yield from (
                    part.value
                    for part in ast.walk(value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                )


def test_states_of_payments_are_named_in_their_table_alone():
    paths = [
        *(ROOT / "products/payments").glob("*.py"),
        *(ROOT / "products/stock").glob("*.py"),
        ROOT / "products/personal.py",
    ]
    uses = {
        name: words
        for path in paths
        for name in [str(path.relative_to(ROOT))]
        if name not in PAYMENT_TABLE
        if (words := sorted(payment_states_in(path.read_text())))
    }

    assert uses == {}


@pytest.mark.parametrize(
    "source",
    [
        "Payment.objects.filter(status='closing')",
        "Q(status__in=['created', 'closing'])",
        "Refund.Status.ASKED",
        "payment.status == Status.PAID",
    ],
)
def test_name_of_a_state_of_payments_is_found(source):
    """The positive control."""
    assert list(payment_states_in(source))


# --- Positive controls ------------------------------------------------------------


@pytest.mark.parametrize(
    "read, source",
    [
        (in_python, "order.status in ('pending', 'other')"),
        (in_python, "def f():\n    return Q(status=Order.Status.PAID)"),
        (in_python, "states.Status.PAID"),
        (in_python, "from products.orders.states import ACTIVE, Status"),
        (in_python, "NEXT = {'paid': 'pack'}"),
        (in_template, '{% if order.status == "packed" %}'),
        (in_template, "{% if order.status in 'paid packed' %}"),
        (in_template, "{{ counts.pending }}"),
        (in_template, '<form data-move="go-on">'),
        (in_script, "if (column === 'shipped') {"),
        (in_script, 'const VERBS = { p: "pack" };'),
        (in_style_sheet, ".state--paid, .state { color: red }"),
        (in_style_sheet, '[data-column="shipped"] { color: red }'),
    ],
)
def test_name_of_a_state_or_a_move_is_found(read, source):
    """The positive control."""
    assert list(read(source))


@pytest.mark.parametrize(
    "read, source",
    [
        (in_python, "payment.status = Payment.Status.PAID"),
        (in_python, '"""Orders that are paid."""'),
        (in_python, "from products.payments.models import Status"),
        (in_template, '<p class="state state--paid">{% translate "paid" %}</p>'),
        (in_template, "{{ order.status }} is pending"),
        (in_script, "promise.pending // pending"),
        (in_style_sheet, ".parts--packed-tight .pending { } /* .state--paid */"),
    ],
)
def test_other_words_are_not_found(read, source):
    assert not list(read(source))
