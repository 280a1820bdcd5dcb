"""The words of protocol `shop.v1`: frames, codes, limits. See `asyncapi.yaml`."""

import json
import struct
from collections.abc import Collection
from enum import IntEnum
from typing import Any, NamedTuple

from django.conf import settings

SUBPROTOCOL = "shop.v1"


class Close(IntEnum):
    """Why the server closes. 4000–4499: come back; 4500–4999: coming back is no use."""

    RESTART = 1012  # RFC 6455's registry: "Service Restart"
    TOO_MANY_FRAMES = 4008
    SILENT = 4009  # has not subscribed
    TOO_MANY_SOCKETS = 4029
    BINARY_FRAME = 4501
    FRAME_TOO_LARGE = 4502
    # The socket's identity has ended: come back as who you are now, not as before.
    SESSION_ENDED = 4510
    PASSWORD_CHANGED = 4511
    DEACTIVATED = 4512
    RIGHTS_LOST = 4513
    RIGHTS_GAINED = 4514


RETRY_MS = {Close.TOO_MANY_FRAMES: 10_000, Close.TOO_MANY_SOCKETS: 60_000}


class BadFrame(Exception):
    """A frame that says nothing we understand; the socket stays open."""

    def __init__(self, code: str, message: str, request_id: int | None = None):
        super().__init__(message)
        self.code, self.request_id = code, request_id


class Subscribe(NamedTuple):
    """The topics a page shows now, with the version each shows (None: not any)."""

    request_id: int
    topics: dict[str, int | None]
    language: str | None  # of the HTML wanted, if any
    timeline: str | None = None  # that the versions count on, if the client says so
    pace: int = 0  # milliseconds between two frames of changes, at least; 0: at once


MAX_VERSION = 2**53  # the largest exact integer in a browser
MAX_TIMELINE = 64  # characters
MAX_PACE = 60_000  # milliseconds


def parse(text: str, languages: Collection[str]) -> Subscribe:
    """Parse the client's frame; HTML comes in one of `languages`. Raises `BadFrame`."""
    try:
        frame = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadFrame("bad_json", "The frame is not JSON.") from None
    if not isinstance(frame, dict) or frame.get("t") != "sub":
        raise BadFrame("bad_message", 'Expected {"t":"sub", …}.')
    request_id = frame.get("id")
    if request_id is None or not _is_count(request_id):
        raise BadFrame("bad_message", '"id" must be a whole number.')
    topics, language = frame.get("topics"), frame.get("html")
    if not isinstance(topics, dict) or not all(
        version is None or _is_count(version) for version in topics.values()
    ):
        raise BadFrame(
            "bad_message", '"topics" must map names to versions or null.', request_id
        )
    if language is not None and not (
        isinstance(language, str) and language in languages
    ):
        raise BadFrame(
            "bad_message", '"html" must be one of the shop\'s languages.', request_id
        )
    timeline = frame.get("timeline")
    if timeline is not None and not _is_timeline(timeline):
        raise BadFrame("bad_message", '"timeline" must be a short text.', request_id)
    pace = frame.get("pace")
    if pace is not None and not _is_pace(pace):
        text = f'"pace" must be a whole number up to {MAX_PACE}.'
        raise BadFrame("bad_message", text, request_id)
    most = settings.LIVE["MAX_TOPICS"]
    if len(topics) > most:
        raise BadFrame("too_many_topics", f"At most {most} topics.", request_id)
    return Subscribe(request_id, topics, language, timeline, pace or 0)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_VERSION


def _is_timeline(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TIMELINE


def _is_pace(value: Any) -> bool:
    return _is_count(value) and value <= MAX_PACE


def _refuse(constant: str) -> None:
    """NaN and Infinity, which Python reads and JSON does not have."""
    raise ValueError(constant)


def dumps(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def item(name: str, version: int, facts: dict[str, Any], html: str | None) -> str:
    """One topic's state, as JSON text ready to be joined into frames."""
    return dumps(
        [name, version, facts] if html is None else [name, version, facts, html]
    )


def snap(request_id: int, items: list[str], timeline: str | None = None) -> str:
    name = "" if timeline is None else f'"timeline":"{timeline}",'
    return f'{{"t":"snap","id":{request_id},{name}"items":[{",".join(items)}]}}'


class Beat(NamedTuple):
    """The content of a heartbeat."""

    digest: int  # of the versions that the client should show
    spread_ms: int  # over how long pages are to come back, should this process die

    @property
    def members(self) -> str:
        return f'"digest":"{self.digest:08x}","spread_ms":{self.spread_ms}'


def upd(items: list[str], at: float | None = None, beat: Beat | None = None) -> str:
    """`at`: since when, in seconds of the epoch, the oldest change waits to be seen.
    `beat`: what a heartbeat would say, if none goes beside it."""
    stamp = "" if at is None else f'"ts":{int(at * 1000)},'
    sign = "" if beat is None else f"{beat.members},"
    return f'{{"t":"upd",{stamp}{sign}"items":[{",".join(items)}]}}'


def hb(beat: Beat) -> str:
    return f'{{"t":"hb",{beat.members}}}'


def err(code: str, message: str, request_id: int | None = None, **more: Any) -> str:
    frame = {"t": "err", "id": request_id, "code": code, "msg": message, **more}
    # Escaped: a name that a client made up may hold half a surrogate pair.
    return json.dumps(frame, separators=(",", ":"))


def bye(code: Close, retry_ms: int | None = None) -> str:
    wait = RETRY_MS.get(code) if retry_ms is None else retry_ms
    return dumps({"t": "bye", "code": int(code), "retry_ms": wait})


TEXT = 0x81  # the first byte of a whole text frame, RFC 6455, section 5.2
SMALL, MEDIUM = 125, 0xFFFF


class Frame:
    """A text to be sent, and its bytes on the wire, made once for all who get it."""

    __slots__ = ("text", "wire")

    def __init__(self, text: str) -> None:
        payload = text.encode()
        self.text, self.wire = text, _head(len(payload)) + payload


def _head(size: int) -> bytes:
    if size <= SMALL:
        return struct.pack("!BB", TEXT, size)
    if size <= MEDIUM:
        return struct.pack("!BBH", TEXT, 126, size)
    return struct.pack("!BBQ", TEXT, 127, size)


FNV_PRIME, FNV_OFFSET, MASK = 0x01000193, 0x811C9DC5, 0xFFFFFFFF


def fingerprint(name: str, version: int) -> int:
    """FNV-1a (32 bits) of "version=name"; a digest is the sum of these modulo 2³².

    The version comes first, for what changes last is mixed least: the other way round
    two topics that are both one version behind cancel out in one page of five.
    http://www.isthe.com/chongo/tech/comp/fnv/ — the client computes the same.
    """
    value = FNV_OFFSET
    for byte in f"{version}={name}".encode():
        value = ((value ^ byte) * FNV_PRIME) & MASK
    return value
