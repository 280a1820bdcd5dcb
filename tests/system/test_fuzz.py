"""Whatever bytes come over a socket: no traceback, no 1011, and never a socket that is
stuck. It is closed with a code that the document or RFC 6455 has for it, or answers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyFailure
from jsonschema import ValidationError

from realtime.protocol import MAX_PACE, MAX_VERSION, Close
from tests.support.servers import Daphne, Shop
from tests.system.frames import (
    BINARY,
    CLOSE,
    GONE,
    PING,
    PONG,
    TEXT,
    RawSocket,
    frame,
    shake,
    subscription,
)

EXAMPLES = 300
NO_CHECKS = list(HealthCheck)  # examples share the servers
PATIENCE_S = 20
IMPATIENCE_S = 1.5  # where we expect to wait in vain
LAST = 10**6  # the number of the last question

# RFC 6455's: goodbye, wrong framing, no UTF-8, too much, too large; and the protocol's.
CODES = {1000, 1002, 1007, 1008, 1009}
CODES |= {Close.TOO_MANY_FRAMES, Close.BINARY_FRAME, Close.FRAME_TOO_LARGE}
# Who goes on after a close frame, its own or ours, or breaks the rules twice, may find
# that the connection has ended before our close frame was read.
CODES_OF_THE_RUDE = CODES | {GONE}

# --- What is sent -----------------------------------------------------------------

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
numbers = st.sampled_from(
    [0, 1, -1, 2**31, 2**63, MAX_VERSION, MAX_VERSION + 1, 10**40]
)
stems = st.sampled_from(
    ["stock", "basket", "basket:lines", "basket:hold", "order", "shelf", "shelves"]
    + ["orders", "board", "live", "probe", "__class__", ""]
)
names = st.one_of(
    stems,
    st.builds("{}:{}".format, stems, numbers | st.text(max_size=6)),
    st.text(st.characters(codec=None), max_size=12),
)
versions = st.one_of(st.none(), numbers, junk)
topics = st.dictionaries(names, versions, max_size=5) | st.just(
    {f"stock:{number}": None for number in range(65)}
)
near_the_protocol = st.fixed_dictionaries(
    {},
    optional={
        "t": st.sampled_from(["sub", "sub", "sub", "snap", "hb", ""]) | junk,
        "id": numbers | junk,
        "topics": topics | junk,
        "html": st.sampled_from(["en", "ru", "xx", "../en"]) | junk,
        "pace": numbers | junk,
    },
)
counts = st.integers(0, MAX_VERSION)
subscriptions = st.fixed_dictionaries(
    {
        "t": st.just("sub"),
        "id": counts,
        "topics": st.dictionaries(names, st.none() | counts, max_size=9),
    },
    optional={
        "html": st.sampled_from(["en", "ru"]),
        "pace": st.none() | st.integers(0, MAX_PACE),
    },
)
texts = st.one_of(
    subscriptions.map(json.dumps),
    subscriptions.map(lambda value: json.dumps(value, ensure_ascii=False)),
    near_the_protocol.map(json.dumps),
    near_the_protocol.map(lambda value: json.dumps(value)[:-1]),
    junk.map(json.dumps),
    st.sampled_from(["", "[" * 4000, '{"":' * 1000, "1e999", "x" * 5000, '"\\ud800"']),
    st.text(max_size=40),
).map(lambda text: text.encode("utf-8", "replace"))
payloads = texts | st.binary(max_size=150)


def pieces(payload: bytes, cuts: list[int], between: bytes) -> bytes:
    """A message in fragments, with something between them."""
    ends = sorted(cut % (len(payload) + 1) for cut in cuts) + [len(payload)]
    starts = [0, *ends[:-1]]
    parts = [payload[start:end] for start, end in zip(starts, ends)]
    last = len(parts) - 1
    return between.join(
        frame(part, TEXT if number == 0 else 0, is_last=number == last)
        for number, part in enumerate(parts)
    )


cuts = st.lists(st.integers(0, 5000), max_size=3)
pings = st.builds(frame, st.binary(max_size=125), st.sampled_from([PING, PONG]))
in_order = st.one_of(
    texts.map(frame),
    texts.map(frame),
    texts.map(lambda text: frame(text) * 21),
    st.builds(pieces, texts, cuts, pings | st.just(b"")),
    st.builds(frame, payloads, st.just(BINARY)),
    pings,
)
codes = [b"", b"\3", b"\3\xe8", b"\3\xed", b"\3\xf3", b"\x0f\xa0", b"\0\0"]
closes = st.builds(bytes.__add__, st.sampled_from(codes), st.binary(max_size=20)).map(
    lambda payload: frame(payload, CLOSE)
)
out_of_order = st.one_of(
    closes,
    st.builds(pieces, texts, cuts, closes),
    st.binary(min_size=1, max_size=30).map(frame),
    st.builds(
        frame,
        payloads,
        st.integers(0, 15),
        is_last=st.booleans(),
        rsv=st.integers(0, 7),
        is_masked=st.booleans(),
    ),
)


@dataclass(frozen=True)
class Talk:
    """What one client sends: frames, and then perhaps bytes that are none."""

    frames: list[tuple[bytes, bool]]  # and whether RFC 6455 lets a client send it
    rest: bytes
    chunk: int  # bytes at a time

    @property
    def is_in_order(self) -> bool:
        return not self.rest and all(is_allowed for _, is_allowed in self.frames)

    def chunks(self) -> Iterator[bytes]:
        data = b"".join(part for part, _ in self.frames) + self.rest
        size = max(self.chunk, len(data) // 50)
        return (data[start : start + size] for start in range(0, len(data), size))


talks = st.builds(
    Talk,
    st.lists(
        st.tuples(in_order, st.just(True))
        | st.tuples(in_order, st.just(True))
        | st.tuples(out_of_order, st.just(False)),
        max_size=6,
    ),
    st.just(b"") | st.just(b"") | st.binary(max_size=60),
    st.sampled_from([1, 7, 1000, 10**6]),
)

# Handshakes.
words = st.binary(max_size=30) | st.sampled_from(
    [b"/evil", b"%ff", b"shop.v1, shop.v1", b"sh\xc3\xb6p.v1", b"http://[::1", b"a:b"]
    + [b"http://a:99999999", b"permessage-deflate; client_max_window_bits=99", b",,"]
    + [b"::::1, 999.1.1.1", b"sessionid=\xff", b"0", b"-1", b"8, 13", b"x" * 9000]
)
header_names = st.sampled_from(
    [b"Host", b"Connection", b"Origin", b"Cookie", b"X-Forwarded-For"]
    + [b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol"]
    + [b"Sec-WebSocket-Extensions", b"Daphne-Root-Path", b"X-\xf6", b"Accept-Language"]
)
REFUSALS = {400, 403, 404, 405, 426}

# --- What comes of it -------------------------------------------------------------


def come_through(shop: Shop, talk: Talk, seconds: float) -> None:
    """Raises `AssertionError`, `ValidationError` or, after so long, `TimeoutError` if
    the shop answers as it must not."""
    with RawSocket(shop, seconds) as link:
        for chunk in talk.chunks():
            link.send(chunk)
        if talk.rest:  # whether a frame of it is still open, nobody knows
            link.end()
        else:
            link.send(subscription(LAST))
        while (answer := link.hear()) is not None:
            if (answer["t"], answer.get("id")) == ("snap", LAST):
                return
        assert link.code in (
            CODES if talk.is_in_order else CODES_OF_THE_RUDE
        ), link.code


def explore(shop: Shop, seconds: float = PATIENCE_S, phases=tuple(Phase)) -> None:
    """Many talks, one after the other, and a look at the log after each."""

    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=NO_CHECKS,
    )
    @given(talks)
    def talk_on(talk: Talk) -> None:
        since = shop.mark()
        come_through(shop, talk, seconds)
        assert "Traceback" not in shop.said(since), shop.said(since)

    talk_on()


# --- Tests ------------------------------------------------------------------------


# An example may hold a frame of 60 KB, which Hypothesis warns of when it prints it.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def test_socket_whatever_is_sent_is_closed_in_order_or_answers(listening):
    explore(listening)


@hypothesis_settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=NO_CHECKS
)
@given(
    st.sampled_from([b"/ws/", b"/ws/", b"/"]),
    st.binary(max_size=9),
    st.dictionaries(header_names, words, max_size=3),
)
def test_handshake_whatever_it_says_is_accepted_or_refused(
    listening, path, rest, headers
):
    status = shake(listening, path + rest, headers, PATIENCE_S)

    assert status in {101, GONE} | REFUSALS


class BrokenShop(Daphne):
    """The shop with one of the faults of `broken.py`."""

    name, application = "broken", "tests.system.broken:application"


@pytest.mark.parametrize(
    "fault, fault_text, seconds",
    [
        ("careless", AssertionError, PATIENCE_S),
        ("deaf", TimeoutError, IMPATIENCE_S),
        ("abrupt", ValidationError, PATIENCE_S),
    ],
)
def test_exploration_finds_a_shop_with_a_fault(
    redis, serve, fault, fault_text, seconds
):
    shop = serve(redis, BrokenShop, FAULT=fault)

    # Flaky: the log may tell of the same talk a moment later when it is tried again.
    with pytest.raises((fault_text, FlakyFailure)):
        explore(shop, seconds, [Phase.generate])
