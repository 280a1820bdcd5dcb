"""The document of the protocol, and frames held against it."""

import json
from functools import cache
from pathlib import Path

import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

DOCUMENT = yaml.safe_load(
    (Path(__file__).parents[2] / "realtime" / "asyncapi.yaml").read_text()
)
URI = "urn:shop:asyncapi"
REGISTRY = Registry().with_resource(
    URI, Resource(contents=DOCUMENT, specification=DRAFT7)
)

OPERATIONS = DOCUMENT["operations"].values()
SENT_BY_CLIENT, SENT_BY_SHOP = "receive", "send"  # AsyncAPI speaks for the shop


def name_of(reference: dict) -> str:
    """The last part of a "$ref"."""
    return reference["$ref"].rpartition("/")[2]


@cache
def messages(action: str) -> frozenset[str]:
    """The messages that the document lets travel in one direction."""
    names = set()
    for operation in OPERATIONS:
        if operation["action"] == action:
            names |= set(map(name_of, operation["messages"]))
        elif reply := operation.get("reply"):
            names |= set(map(name_of, reply["messages"]))
    return frozenset(names)


@cache
def validator(message: str) -> Draft7Validator:
    schema = {"$ref": f"{URI}#/components/messages/{message}/payload"}
    return Draft7Validator(schema, registry=REGISTRY)


def check(frame: dict, action: str) -> None:
    """Raises `AssertionError` or `ValidationError` for what the document does not
    describe."""
    kind = frame.get("t")
    assert kind in messages(action), f"the document has no frame {kind!r} ({action})"
    validator(kind).validate(frame)


def received(text: str) -> dict:
    """A frame of the shop, checked; strict JSON, so that every browser reads it."""
    frame = json.loads(text, parse_constant=_no_constant)
    check(frame, SENT_BY_SHOP)
    return frame


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
