"""The words of the protocol."""

import json
from random import Random

import pytest

from realtime import protocol
from realtime.protocol import BadFrame, Subscribe
from tests.support.page import Page
from tests.support.schema import DOCUMENT

DIGESTS = DOCUMENT["info"]["x-digests"]


def fnv1a(data: bytes) -> int:
    """As published; the vectors below hold it to that."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0x811C9DC5),
        (b"a", 0xE40C292C),
        (b"foobar", 0xBF9CF968),
        (b"chongo was here!\n", 0xD49930D5),
    ],
)
def test_reference_hash_gives_the_published_values(data, value):
    assert fnv1a(data) == value


@pytest.mark.parametrize("version", [0, 1, 17, 2**32, protocol.MAX_VERSION])
@pytest.mark.parametrize("name", ["stock:42", "basket", "basket:lines", ""])
def test_fingerprint_is_that_hash_of_name_and_version(name, version):
    assert protocol.fingerprint(name, version) == fnv1a(f"{version}={name}".encode())


def test_digest_of_topics_that_are_all_one_version_behind_differs():
    dice = Random(1)
    for _ in range(2_000):  # with the name first 414 of these are equal
        now = {
            f"stock:{dice.randrange(1, 5000)}": dice.randrange(2, 1000)
            for _ in range(2)
        }
        behind = {name: version - 1 for name, version in now.items()}

        assert digest(now) != digest(behind), now


def digest(topics: dict[str, int]) -> int:
    return sum(protocol.fingerprint(*entry) for entry in topics.items()) & protocol.MASK


@pytest.mark.parametrize("row", DIGESTS, ids=lambda row: row["digest"])
def test_digest_of_the_pages_twin_is_the_documents(row):
    page = Page()
    page.known = row["topics"]

    assert page.digest() == row["digest"]


def parse(text: str) -> Subscribe:
    return protocol.parse(text, ["en", "de"])


def test_parse_gives_what_was_asked_for():
    text = '{"t":"sub","id":3,"topics":{"stock:42":17,"basket":null},"html":"en"}'

    assert parse(text) == Subscribe(3, {"stock:42": 17, "basket": None}, "en")


@pytest.mark.parametrize("more", ["", ',"html":null'])
def test_parse_without_a_language_wants_facts_alone(more):
    message = parse(f'{{"t":"sub","id":0,"topics":{{}}{more}}}')

    assert message == Subscribe(0, {}, None)


@pytest.mark.parametrize(
    "more, pace",
    [("", 0), (',"pace":null', 0), (',"pace":0', 0), (',"pace":5000', 5000)]
    + [(f',"pace":{protocol.MAX_PACE}', protocol.MAX_PACE)],
)
def test_parse_gives_the_pace_that_is_wanted(more, pace):
    message = parse(f'{{"t":"sub","id":0,"topics":{{}}{more}}}')

    assert message == Subscribe(0, {}, None, pace=pace)


@pytest.mark.parametrize(
    "pace", ["-1", "60001", "5000.0", "1e3", '"5000"', "true", "false", "[]", "{}"]
)
def test_parse_refuses_a_pace_that_is_none(pace):
    with pytest.raises(BadFrame, match="pace") as refused:
        parse(f'{{"t":"sub","id":7,"topics":{{}},"pace":{pace}}}')

    assert (refused.value.code, refused.value.request_id) == ("bad_message", 7)


def test_parse_takes_each_of_the_languages():
    message = parse('{"t":"sub","id":0,"topics":{},"html":"de"}')

    assert message.language == "de"


def test_parse_names_the_request_that_it_refuses():
    with pytest.raises(BadFrame) as refused:
        parse('{"t":"sub","id":7,"topics":{"basket":-1}}')

    assert (refused.value.code, refused.value.request_id) == ("bad_message", 7)


@pytest.mark.parametrize("name", ["\ud800", "😀", '"', "\\", "\0", "\u2028"])
def test_err_carries_any_name_as_the_client_wrote_it(name):
    frame = protocol.err("unknown_topic", "No.", 1, topics=[name])

    assert json.loads(frame.encode())["topics"] == [name]


def test_item_without_html_has_three_members():
    assert json.loads(protocol.item("stock:1", 2, {"a": "é"}, None)) == [
        *("stock:1", 2, {"a": "é"})
    ]
