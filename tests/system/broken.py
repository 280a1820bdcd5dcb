"""The shop with a fault that `test_fuzz.py` has to find; FAULT says which."""

import json
import os
from collections.abc import Collection

from project.asgi import application  # first: it makes Django ready  # isort: skip
from realtime import protocol
from realtime.consumers.connection import Gone

__all__ = ["application"]

parse = protocol.parse


def careless(text: str, languages: Collection[str]) -> protocol.Subscribe:
    """Takes for granted that JSON is an object."""
    json.loads(text).get("t")
    return parse(text, languages)


def deaf(text: str, languages: Collection[str]) -> protocol.Subscribe:
    """Says nothing, ever again, after what it does not understand."""
    try:
        return parse(text, languages)
    except protocol.BadFrame:
        raise Gone from None


def abrupt(text: str, languages: Collection[str]) -> protocol.Subscribe:
    """Ends what it does not like with an undocumented frame."""
    try:
        return parse(text, languages)
    except protocol.BadFrame as bad:
        raise protocol.BadFrame("whatever", str(bad)) from None


protocol.parse = globals()[os.environ["FAULT"]]
