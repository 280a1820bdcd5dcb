"""Cells that no spreadsheet takes for a formula, and that people can still read."""

import ast
import csv
import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from project.spreadsheets import (
    EUROPEAN_EXCEL,
    EXCEL,
    PLAIN,
    Writer,
    guarded,
    restored,
    reversible,
    telephone,
)

ROOT = Path(__file__).resolve().parents[2]
SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"
THREATS = [
    "=1+1",
    "  =1",
    "\t=1",
    "\r=1",
    "\n=1",
    "\u00a0=1",
    "\ufeff=1",
    "\u200b=1",
    "＝1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "Ann;=cmd|'/c calc'!A0;x",
    "Ann; =1",
    "Ann,=1",
    "Ann\t=1",
    "Ann|=1",
    "Ann\n=1",
    "Ann\r\n  =1",
    "Ann\u2028=1",
    'Ann;"=1"',
    'Ann";"=1',
    "Ann%0A=1",
    "Ann%0d%0a-1",
    "Ann%3B@x",
    "Ann;＝1",
    "Ann；=1",
    "Ann;+49 30 1234567",
    "+1+cmd|' /C calc'!A0",
    "+49 30;=1",
]


def cells_of(text: str) -> list[str]:
    """Whatever a spreadsheet may make of it: at any delimiter, with quotes or not."""
    lines = [text, text.replace("%0A", "\n").replace("%0d%0a", "\n")]
    cells = []
    for line in [*lines, text.replace("%3B", ";")]:
        for delimiter in ",;\t|；":
            for row in csv.reader(io.StringIO(line, ""), delimiter=delimiter):
                cells += row
            for plain in line.splitlines():
                cells += plain.split(delimiter)
    return [cell.strip(' \t\r\n"\u00a0\ufeff\u200b') for cell in cells]


@pytest.mark.parametrize("dialect", [PLAIN, EUROPEAN_EXCEL])
@pytest.mark.parametrize("text", THREATS)
def test_cell_with_a_threat_is_no_formula_wherever_it_is_split(text, dialect):
    written = Writer(dialect).row(["A-1", text, "end"])

    assert [cell for cell in cells_of(written) if cell.startswith(tuple(SIGNS))] == []


@pytest.mark.parametrize("text", THREATS)
def test_threat_without_the_guard_is_a_formula(text):
    """The positive control of the test above."""
    cells = cells_of(text)

    assert [cell for cell in cells if cell.startswith(tuple(SIGNS))] != []


@pytest.mark.parametrize(
    "text",
    [
        "Ann Example",
        "ann@example.com",
        "Jean-Luc; 12 - 14",
        "3 × -20% bundle",
        "5 = five",
        "L-1",
        "'=1",
        "+49 30 1234567",
        "+1 202-555-0123",
        "+44 (0)20 7946 0958",
        "+49 30 1234567 ext. 12",
        "",
    ],
)
def test_cell_without_a_threat_stays_as_it_is(text):
    assert guarded(text) == text


@pytest.mark.parametrize("mark", "\u00ad\u061c\u180e\u2800\u3164")
def test_mark_that_nobody_sees_hides_no_formula(mark):
    assert guarded(f"{mark}=1").startswith("'")
    assert guarded(f"a;{mark}=1") == f"a;{mark}'=1"


def test_text_after_a_quote_is_guarded():
    assert guarded('Ann"=1') == """Ann"'=1"""


def test_guarding_twice_adds_nothing():
    for text in THREATS:
        assert guarded(guarded(text)) == guarded(text)


@pytest.mark.parametrize(
    "text, written",
    [
        ("+493012345", "+49 3012345"),
        ("+49-30-12345", "+49 30-12345"),
        ("+49/30.12345", "+49 30.12345"),
        ("+35312345678", "+353 12345678"),
        ("+1 (202) 555-0123", "+1 (202) 555-0123"),
        ("+49\u00a030\u00a012345", "+49 30 12345"),
        ("030 12345", "030 12345"),
        ("(030) 12345", "(030) 12345"),
    ],
)
def test_telephone_number_stays_one(text, written):
    assert telephone(text) == written
    assert guarded(telephone(text)) == written


@pytest.mark.parametrize("text", ["+1+1", "+49 =1", "+1;=1", "+49 30|x"])
def test_telephone_number_that_is_none_is_guarded(text):
    assert guarded(telephone(text)).startswith("'")


def test_writer_writes_values_as_their_program_wants_them():
    moment = datetime(2026, 5, 10, 12, 30, 5, tzinfo=UTC)
    cells = ["a;b", "a,b", Decimal("1234.50"), moment, 3, Decimal("-2.00")]

    plain = Writer(PLAIN).row(cells)
    excel = Writer(EUROPEAN_EXCEL).row(cells)

    assert plain == 'a;b,"a,b",1234.50,2026-05-10T12:30:05+00:00,3,-2.00\r\n'
    assert excel == '"a;b";a,b;1234,50;2026-05-10 12:30:05;3;-2,00\r\n'
    assert Writer(EXCEL).head(["a"]) == "\ufeffa\r\n"


def test_tables_are_written_by_the_guarding_writer_alone():
    """The load test's table has no text of people; it knows nothing of the shop."""
    using = {
        path.relative_to(ROOT).as_posix()
        for package in ("project", "products", "users", "realtime")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        if node.attr in ("writer", "DictWriter")
        if isinstance(node.value, ast.Name) and node.value.id == "csv"
    }

    assert using == {"project/spreadsheets.py", "realtime/loadtest/report.py"}


@given(st.text(st.sampled_from("='\";,| \n%0Aax-@+\u200b"), max_size=12))
def test_reversible_guard_can_be_undone_and_leaves_no_formula(text):
    written = reversible(text)

    assert restored(written) == text
    assert guarded(written) == written


@pytest.mark.parametrize("text", ["L-1", "it's", "'L-1", "a 'b' c", "5 = five"])
def test_text_that_was_never_guarded_stays_as_it_is(text):
    assert restored(text) == text
