"""`asyncapi.yaml` is well made, and says what the code does."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from jsonschema import Draft7Validator, ValidationError

from realtime import protocol
from tests.support import schema
from tests.support.schema import DOCUMENT

MESSAGES = DOCUMENT["components"]["messages"]
FOLDER = Path(protocol.__file__).parent


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from ([node["$ref"]] if isinstance(node.get("$ref"), str) else [])
        node = list(node.values())
    for child in node if isinstance(node, list) else []:
        yield from references(child)


def resolve(reference: str) -> object:
    node = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_document_has_the_parts_that_asyncapi_asks_for():
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version", "description"} <= DOCUMENT["info"].keys()
    for channel in DOCUMENT["channels"].values():
        assert channel["address"] == "/ws/"
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= server.keys()
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"] == "#/channels/live"


def test_every_reference_leads_somewhere():
    references_found = list(references(DOCUMENT))

    assert len(references_found) > 30
    for reference in references_found:
        assert resolve(reference)


def test_every_message_travels_and_is_in_the_channel():
    travelling = schema.messages("send") | schema.messages("receive")

    assert (
        travelling == MESSAGES.keys() == DOCUMENT["channels"]["live"]["messages"].keys()
    )
    assert schema.messages("receive") == {"sub"}


@pytest.mark.parametrize("name", MESSAGES)
def test_schema_of_every_message_is_one(name):
    message = MESSAGES[name]

    Draft7Validator.check_schema(message["payload"])
    assert message["payload"]["properties"]["t"]["const"] == message["name"] == name
    assert message["payload"]["additionalProperties"] is False


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_part_is_a_schema_and_is_used(name):
    Draft7Validator.check_schema(DOCUMENT["components"]["schemas"][name])

    assert f"#/components/schemas/{name}" in set(references(DOCUMENT))


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_follow_their_schema(name):
    examples = MESSAGES[name]["examples"]

    assert examples
    for example in examples:
        schema.validator(name).validate(example["payload"])


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_with_one_member_less_or_more_do_not(name):
    """The control: the schemas say no to something."""
    payload = MESSAGES[name]["examples"][0]["payload"]
    for member in MESSAGES[name]["payload"]["required"]:
        less = {key: value for key, value in payload.items() if key != member}
        assert not schema.validator(name).is_valid(less)
    assert not schema.validator(name).is_valid(payload | {"surprise": 1})


STOCK = {"variant": 42, "available": 3, "state": "low", "price": "12.50"}
BASKET = {"count": 0, "total": "0.00"}
NOW, TOKEN = "2026-03-01T09:30:00+00:00", "t" * 32
ORDER = {
    "token": TOKEN,
    "number": "7K3MPQ2X",
    "status": "paid",
    "method": "stripe",
    "total": "37.50",
    "units": 3,
    "placed_at": NOW,
    "changed_at": NOW,
    "expires_at": None,
    "may": ["cancel"],
    "on_hold": "",
    "money": [
        {
            "currency": "EUR",
            "received": "37.50",
            "refunded": "0.00",
            "disputed": "0.00",
        }
    ],
}
BOARD = {"counts": {"paid": 1}, "newest": "7K3MPQ2X"}
MOVES = {
    "since": 94,
    "moved": [["7K3MPQ2X", 2, "packed"]],
    "coming": {"paid": ["8K4NRT5Z"]},
    "counts": [["paid", "delivery", None, 2], ["packed", "stripe", 7, 1]],
}
RIGHT = [
    ["stock:42", 19, STOCK],
    ["stock:43", 19, {"variant": 43, "available": 0, "state": "gone", "price": None}],
    [f"order:{TOKEN}", 2, ORDER],
    ["orders", 96, BOARD],
    ["board", 96, MOVES],
    ["basket:hold", 7, {"until": NOW}],
    ["shelves", 310, {"low": 0, "out": 0, "variants": []}],
]


@pytest.mark.parametrize(
    "item",
    [
        ["stock:42", 19],
        ["stock:42", 19, STOCK, "<p>", 1],
        ["stock:42", 19, STOCK, ""],
        ["stock:42", 19, STOCK, None],
        ["stock:42", "19", STOCK],
        ["stock:42", -1, STOCK],
        ["stock:42", 2**53 + 1, STOCK],
        ["stock:042", 19, STOCK],
        ["basket", 19, STOCK],
        ["stock:42", 19, BASKET],
        ["basket:u7", 19, BASKET],
        ["stock:42", 19, STOCK | {"price": 12.5}],
        ["stock:42", 19, STOCK | {"price": "12.5"}],
        ["stock:42", 19, STOCK | {"available": -1}],
        ["stock:42", 19, STOCK | {"available": 0}],
        ["stock:42", 19, STOCK | {"state": "gone"}],
        ["stock:42", 19, STOCK | {"state": "gone", "available": 0}],
        ["stock:42", 19, STOCK | {"price": None}],
        ["stock:42", 19, STOCK | {"reserved": 4}],
        ["order:7K3MPQ2X", 2, ORDER],
        [f"order:{TOKEN}", 2, ORDER | {"status": "lost"}],
        [f"order:{TOKEN}", 2, ORDER | {"email": "ann@example.com"}],
        [f"order:{TOKEN}", 2, ORDER | {"placed_at": None}],
        [f"order:{TOKEN}", 2, ORDER | {"number": "O0000000"}],
        ["orders", 96, BOARD | {"counts": {"delivered": 1}}],
        ["orders:", 96, BOARD],
        ["board", 96, MOVES | {"moved": [["7K3MPQ2X", 2, "nowhere"]]}],
        ["board", 96, MOVES | {"counts": [["paid", "delivery", None, 0]]}],
        ["board", 96, BOARD],
        ["basket:hold", 7, {"until": 1772357400}],
        ["basket:hold:u7", 7, {"until": NOW}],
        ["shelves", 310, {"low": 0, "out": 0}],
    ],
    ids=str,
)
def test_item_that_is_wrong_is_refused(item):
    schema.check({"t": "upd", "items": RIGHT}, "send")

    with pytest.raises(ValidationError):
        schema.check({"t": "upd", "items": [item]}, "send")


@pytest.mark.parametrize("kind", ["welcome", "unsub", "sub", None, 1])
def test_frame_that_is_not_in_the_document_is_refused(kind):
    with pytest.raises(AssertionError, match="no frame"):
        schema.check({"t": kind, "items": []}, "send")


def test_close_codes_are_those_of_the_code():
    documented = {row["name"]: row for row in DOCUMENT["info"]["x-close-codes"]}

    assert {name: row["code"] for name, row in documented.items()} == {
        close.name: close.value for close in protocol.Close
    }
    for close in protocol.Close:
        row = documented[close.name]
        assert row["reconnect"] == (close < 4500)
        assert row["retry_ms"] == protocol.RETRY_MS.get(close)
        schema.received(protocol.bye(close))
    payload = MESSAGES["bye"]["payload"]["properties"]
    assert set(payload["code"]["enum"]) == set(protocol.Close)


def codes_in(module: str) -> set[str]:
    """The codes that a module of ours gives to `err` and `BadFrame`."""
    calls = [
        node
        for node in ast.walk(ast.parse((FOLDER / module).read_text()))
        if isinstance(node, ast.Call) and node.args
    ]
    named = [
        call for call in calls if ast.unparse(call.func).endswith(("err", "BadFrame"))
    ]
    return {c.args[0].value for c in named if isinstance(c.args[0], ast.Constant)}


def test_error_codes_are_those_of_the_code():
    documented = {row["code"] for row in DOCUMENT["info"]["x-error-codes"]}

    assert documented == codes_in("protocol.py") | codes_in("consumers/consumer.py")
    assert documented == set(MESSAGES["err"]["payload"]["properties"]["code"]["enum"])


def test_limits_are_those_of_the_settings():
    for limit in DOCUMENT["info"]["x-limits"].values():
        assert settings.LIVE[limit["setting"]] == limit["value"]
    most = settings.LIVE["MAX_TOPICS"]
    assert MESSAGES["sub"]["payload"]["properties"]["topics"]["maxProperties"] == most
    version = DOCUMENT["components"]["schemas"]["version"]
    assert version["maximum"] == protocol.MAX_VERSION
    pace, _ = MESSAGES["sub"]["payload"]["properties"]["pace"]["oneOf"]
    assert pace["maximum"] == protocol.MAX_PACE


def test_digests_are_those_of_the_code():
    for row in DOCUMENT["info"]["x-digests"]:
        total = sum(protocol.fingerprint(*entry) for entry in row["topics"].items())
        frame = json.loads(protocol.hb(protocol.Beat(total & protocol.MASK, 0)))
        assert frame["digest"] == row["digest"]


def test_codes_in_the_text_of_the_document_are_known():
    codes = set(map(int, re.findall(r"\b4[0-9]{3}\b", json.dumps(DOCUMENT))))

    assert codes - set(protocol.Close) <= {4499, 4500, 4999, 4096}
