"""Files as people have them: any encoding, any delimiter, and what is no table."""

import codecs
import io
import tracemalloc
import zipfile

import pytest

from products.importing import columns, detection, reading
from products.importing.problems import Problem, UnknownEncoding, Unreadable
from tests.support.factories import make_picture

HEADER = "sku;name;price"
ROW = "L-1;Żółta Lampa – “Café”;12.50"


def read(content: bytes, **chosen: str) -> tuple[reading.Table, list]:
    with reading.reading(io.BytesIO(content), columns.count_known, **chosen) as table:
        return table, list(table.records)


def refusal(content: bytes) -> str:
    with pytest.raises(Unreadable) as raised:
        read(content)
    return str(raised.value)


# --- Encodings --------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"],
)
def test_reading_of_a_unicode_encoding_finds_the_text(encoding):
    table, records = read(f"{HEADER}\r\n{ROW}\r\n".encode(encoding))

    assert table.header == ["sku", "name", "price"]
    assert records == [(2, ROW.split(";"))]


@pytest.mark.parametrize(
    "encoding, text",
    [
        ("cp1252", "Gewürzmühle „Élan“ – groß, 5 €"),
        ("cp1252", "Crème brûlée, très légère"),
        ("cp1251", "Лампа настольная «Маяк», Ёлка"),
        ("cp1251", "Lamp Маяк"),
    ],
)
def test_reading_of_a_windows_code_page_finds_the_text(encoding, text):
    table, records = read(f"{HEADER}\nL-1;{text};1\n".encode(encoding))

    assert table.encoding == encoding
    assert records[0][1][1] == text


def test_reading_of_utf8_with_a_damaged_row_stays_utf8():
    """One wrong byte in a file must not turn every accent of it into two letters."""
    good = "\n".join(f"L-{n};Café Żółta;1" for n in range(9))
    table, records = read(f"{HEADER}\n{good}\n".encode() + b"L-x;Caf\xe9;1\n")

    assert table.encoding == "utf-8"
    assert records[0][1][1] == "Café Żółta"
    assert detection.REPLACEMENT in records[-1][1][1]


def test_reading_of_utf8_far_beyond_the_first_part_finds_the_text():
    text = f"{HEADER}\n" + "L-1;plain;1\n" * 10_000 + "L-2;Café;1\n"

    _table, records = read(text.encode())

    assert records[-1] == (10_002, ["L-2", "Café", "1"])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Лампа настольная", "青花瓷茶壶一个", "Φλιτζάνι"])
def test_reading_of_utf16_without_a_mark_finds_the_text(encoding, text):
    content = "".join(f"L-{n};{text};1\r\n" for n in range(20))

    table, records = read(f"{HEADER}\r\n{content}".encode(encoding))

    assert table.encoding == encoding
    assert records[0][1][1] == text


def test_reading_of_an_uncertain_encoding_offers_choices_with_lines():
    with pytest.raises(UnknownEncoding) as raised:
        read(f"{HEADER}\nL-0;Plain;1\nL-1;Café;1\n".encode("cp1252"))

    lines_by_encoding = {
        choice.encoding: choice.lines for choice in raised.value.choices
    }
    assert lines_by_encoding["cp1252"] == ["L-1;Café;1"]
    assert len(lines_by_encoding) > 1
    assert len(set(map(tuple, lines_by_encoding.values()))) == len(lines_by_encoding)


def test_reading_in_a_chosen_encoding_guesses_nothing():
    content = f"{HEADER}\nL-1;Café;1\n".encode("cp1252")

    table, records = read(content, encoding="cp1250")

    assert (table.encoding, records[0][1][1]) == ("cp1250", "Café")
    assert table.sample == ["L-1;Café;1"]
    _table, records = read(content, encoding="utf-8")
    assert detection.REPLACEMENT in records[0][1][1]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_reading_in_chosen_utf8_accepts_its_mark(mark):
    table, records = read(mark + f"{HEADER}\n{ROW}\n".encode(), encoding="utf-8")

    assert (table.header[0], records[0][1]) == ("sku", ROW.split(";"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_reading_in_a_chosen_encoding_without_its_mark_says_so(encoding):
    with pytest.raises(Unreadable, match="does not begin"):
        read(f"{HEADER}\n{ROW}\n".encode(), encoding=encoding)


def test_reading_shows_lines_with_letters_beyond_ascii_from_anywhere():
    text = f"{HEADER}\n" + "L-1;plain;1\n" * 10_000 + "L-2;Café;1\n"

    table, _records = read(text.encode())

    assert table.sample == ["L-2;Café;1"]


@pytest.mark.parametrize("last", ["Żółta łódź", "Świeca zapachowa, dębowa"])
def test_reading_of_a_code_page_far_beyond_the_first_part_finds_the_text(last):
    text = f"{HEADER}\n" + "L-1;plain;1\n" * 10_000 + f"L-2;{last} żółta łódź;1\n"

    table, records = read(text.encode("cp1250"))

    assert table.encoding == "cp1250"
    assert records[-1][1][1].startswith(last)


def test_reading_of_a_long_line_of_one_strange_byte_is_fast():
    content = f"{HEADER}\nL-1;".encode() + b"\xe9" * 3_000_000

    with pytest.raises(UnknownEncoding):
        read(content)


# --- Delimiters and lines ---------------------------------------------------------


@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_reading_detects_the_delimiter_by_the_names_of_columns(delimiter):
    header, row = (line.replace(";", delimiter) for line in (HEADER, "L-1;Lamp;1"))

    table, records = read(f"{header}\n{row}\n".encode())

    assert table.delimiter == delimiter
    assert records == [(2, ["L-1", "Lamp", "1"])]


def test_reading_of_excels_separator_line_uses_that_delimiter():
    table, records = read(b"sep=;\r\nsku;price\r\nL-1;1,50\r\n")

    assert (table.delimiter, table.header) == (";", ["sku", "price"])
    assert records == [(3, ["L-1", "1,50"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_reading_numbers_records_by_their_first_line(end):
    lines = [HEADER, 'L-1;"Lamp', 'of two lines";1', "", "L-2;Lamp;2"]

    _table, records = read(end.join(lines).encode())

    assert [record[0] for record in records] == [2, 5]
    assert records[0][1][1] == f"Lamp{end}of two lines"


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF8 * 2 + b"sku;name\nL-1;Lamp\n",
        codecs.BOM_UTF8 * 2 + b'"sku";name\nL-1;Lamp\n',
        b'"' + codecs.BOM_UTF8 + b'sku";name\nL-1;Lamp\n',
        codecs.BOM_UTF8 + b"sep=;\n" + codecs.BOM_UTF8 + b'"sku";name\nL-1;Lamp\n',
        codecs.BOM_UTF8 + b'"sep=;"\r\nsku;name\r\nL-1;Lamp\r\n',
        "\ufeff\ufeffsku;name\nL-1;Lamp\n".encode("utf-16-le"),
    ],
)
def test_reading_with_marks_in_wrong_places_finds_the_names(content):
    table, records = read(content)

    assert columns.count_known(table.header) == 2
    assert [cells for _line, cells in records] == [["L-1", "Lamp"]]


def test_reading_with_a_chosen_delimiter_ignores_excels_line():
    table, records = read(b"sep=;\nsku,name;x\nL-1,Lamp;y\n", delimiter=",")

    assert (table.delimiter, table.header) == (",", ["sku", "name;x"])
    assert records == [(3, ["L-1", "Lamp;y"])]


# --- Broken records ---------------------------------------------------------------


def test_reading_of_a_quote_that_is_never_closed_loses_one_row():
    rows = ["L-1;Lamp;1", 'L-2;"Lamp;1', "L-3;Lamp;1", "L-4;Lamp;1"]

    _table, records = read("\n".join([HEADER, *rows]).encode())

    problems = [record for record in records if isinstance(record, Problem)]
    assert problems == [Problem(3, "", "A closing quote is missing.")]
    good = [record for record in records if not isinstance(record, Problem)]
    assert [cells[0] for _line, cells in good] == ["L-1", "L-3", "L-4"]


def test_reading_of_a_huge_cell_loses_one_row():
    huge = "x" * 200_000

    _table, records = read(f"{HEADER}\nL-1;{huge};1\nL-2;Lamp;1\n".encode())

    assert isinstance(records[0], Problem)
    assert "too long" in records[0].text
    assert records[1:] == [(3, ["L-2", "Lamp", "1"])]


def test_reading_of_an_endless_line_loses_one_row_and_uses_little_memory():
    class Endless(io.RawIOBase):
        """Names of columns, 64 MB in one line, and a good row; made as it is read."""

        def __init__(self) -> None:
            self.at, self.start = 0, f"{HEADER}\n".encode()
            self.end, self.size = b"\nL-2;Lamp;1\n", 64 * 1024 * 1024

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, position: int, whence: int = 0) -> int:
            self.at = position
            return position

        def tell(self) -> int:
            return self.at

        def readinto(self, into) -> int:
            wanted = min(len(into), 1 << 16)
            text = self.start if self.at == 0 else b"x" * wanted
            if self.at >= self.size:
                text, self.end = self.end, b""
            into[: len(text)] = text
            self.at += len(text)
            return len(text)

    file = io.BufferedReader(Endless())
    tracemalloc.start()
    with reading.reading(file, columns.count_known) as table:
        records = list(table.records)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "longer than" in records[0].text
    assert peak < 16 * 1024 * 1024


def test_reading_of_rows_that_are_all_broken_gives_up():
    rows = 'L-1;a"b"c;"x"y\n' * (reading.MAX_BROKEN + 5)

    assert "Is this a CSV file?" in refusal(f"{HEADER}\n{rows}".encode())


# --- What is no table -------------------------------------------------------------


def a_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "empty"),
        (b"  \r\n \n", "empty"),
        (a_zip(), "Excel (xlsx)"),
        (make_picture("a.png").read(), "PNG"),
        (make_picture("a.jpg").read(), "JPEG"),
        (make_picture("a.webp").read(), "WebP"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x1f\x8b\x08\x00", "GZIP"),
        (bytes(range(32)) * 100, "not a text file"),
        (b"x" * 1_500_000, "too long"),
        (b'"sku;name', "closing quote"),
    ],
)
def test_reading_of_another_kind_of_file_names_it(content, message):
    assert message in refusal(content)
