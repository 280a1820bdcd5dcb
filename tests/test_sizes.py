"""The size of functions, files and lines of templates."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.test_structure import modules

ROOT = Path(__file__).resolve().parent.parent

FUNCTION_LINES = 60
LONG_FUNCTIONS = {
    # It connects the hub's parts, one call for each, in the order of their data.
    "realtime.hub.hub": "__init__",
    # One transaction, in the order of its locks. Its steps are functions already.
    "products.orders.placing": "place",
}
FILE_LINES = 350
LONG_FILES = {
    # Django's settings are one namespace. Parts with rules of their own are elsewhere.
    "project.settings": 400,
}
LINE_LENGTH = 120
# Not broken yet. Take a template out of this list when you break its lines.
LONG_TEMPLATES = {
    # Plain text, or read within a sentence: a line break would be shown.
    "orders/_delivery_name.html",
    "orders/email/_delivery.txt",
    "orders/_summary.html",
    "orders/checkout_changed.html",
    "products/_basket_lines.html",
    "products/_stock.html",
}


def long_functions(module: str, source: str) -> Iterator[str]:
    """A line for each function that is too long."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            is_known = LONG_FUNCTIONS.get(module) == node.name
            if lines > FUNCTION_LINES and not is_known:
                yield f"{module}.{node.name} has {lines} lines"


def long_lines(path: Path, source: str) -> Iterator[str]:
    """A line for each line of a template that is too long."""
    for number, line in enumerate(source.splitlines(), 1):
        if len(line) > LINE_LENGTH:
            yield f"{path}, line {number}, has {len(line)} characters"


def test_functions_are_short():
    long = [
        line
        for module, path in modules()
        for line in long_functions(module, path.read_text())
    ]

    assert not long, "Split what they do:\n" + "\n".join(long)


def test_long_function_is_found():
    """The positive control."""
    body = "\n".join(["    pass"] * FUNCTION_LINES)

    assert list(long_functions("project.views", f"def page():\n{body}"))


def test_files_are_short():
    long = [
        f"{module} has {lines} lines"
        for module, path in modules()
        if (lines := len(path.read_text().splitlines()))
        > LONG_FILES.get(module, FILE_LINES)
    ]

    assert not long, "Move parts to files of their own:\n" + "\n".join(long)


def test_lines_of_templates_are_short():
    """Break them at attributes and in `blocktranslate trimmed`. White space beside
    inline elements shows, so break around block elements only."""
    folder = ROOT / "templates"
    templates = [path for path in folder.rglob("*") if path.suffix in (".html", ".txt")]
    long = [
        line
        for path in sorted(templates)
        if str(path.relative_to(folder)) not in LONG_TEMPLATES
        for line in long_lines(path.relative_to(ROOT), path.read_text())
    ]

    assert templates
    assert not long, "\n" + "\n".join(long)


def test_long_line_of_a_template_is_found():
    """The positive control."""
    assert list(long_lines(Path("x.html"), "<p>\n" + "x" * (LINE_LENGTH + 1)))
