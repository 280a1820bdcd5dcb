"""Style sheets have no rules for classes that no page has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

CSS = settings.BASE_DIR / "static" / "css"
CLASS = re.compile(r"\.([a-zA-Z_][\w-]*)")
SELECTORS = re.compile(r"([^{}@;]+)\{")


def sources() -> Iterator[Path]:
    """Everything that writes the classes of pages: templates, scripts and widgets."""
    yield from settings.BASE_DIR.glob("templates/**/*.html")
    yield from settings.BASE_DIR.glob("static/js/**/*.js")
    for app in ("products", "users", "project"):
        yield from settings.BASE_DIR.glob(f"{app}/**/*.py")


@pytest.fixture(scope="module")
def written() -> set[str]:
    """All words that may be classes. "state--{{ status }}" is the word "state--"."""
    text = "\n".join(path.read_text() for path in sources())
    return set(re.findall(r"[\w-]+", text))


def classes_of(sheet: Path) -> set[str]:
    rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
    return set(CLASS.findall(" ".join(SELECTORS.findall(rules))))


def is_written(name: str, words: set[str]) -> bool:
    block, dashes, _modifier = name.partition("--")
    return name in words or bool(dashes) and f"{block}--" in words


@pytest.mark.parametrize("sheet", sorted(CSS.glob("*.css")), ids=lambda path: path.stem)
def test_style_sheet_has_no_class_that_no_page_has(sheet, written):
    unused = {name for name in classes_of(sheet) if not is_written(name, written)}

    assert unused == set()


def test_class_that_no_page_has_is_found(tmp_path, written):
    sheet = tmp_path / "sheet.css"
    sheet.write_text(".card, .crad .state--paid { color: red } /* .old */")

    names = classes_of(sheet)

    assert names == {"card", "crad", "state--paid"}
    assert [name for name in names if not is_written(name, written)] == ["crad"]
