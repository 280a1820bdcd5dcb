"""A WebSocket client."""

import pytest

from realtime.loadtest import wire
from tests.realtime.loadtest.runs import Transport, open_wire


def server_frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 1 << 16:
        return bytes([first, 126]) + size.to_bytes(2) + payload
    return bytes([first, 127]) + size.to_bytes(8) + payload


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
async def test_wire_receives_whole_texts_however_they_are_split(size):
    end, texts, _ = open_wire()
    data = server_frame(0x81, b"a" * size) + server_frame(0x81, b"next")

    for at in range(0, len(data), max(1, len(data) // 7)):
        end.data_received(data[at : at + max(1, len(data) // 7)])

    assert texts == [b"a" * size, b"next"]


async def test_wire_joins_fragments_and_answers_a_ping_between_them():
    end, texts, _ = open_wire()

    end.data_received(server_frame(0x01, b"one ") + server_frame(0x89, b"?"))
    end.data_received(server_frame(0x80, b"two"))

    assert texts == [b"one two"]
    assert end.transport.written == wire.masked(wire.PONG, b"?")


async def test_closed_wire_answers_and_reports_the_code():
    end, _, codes = open_wire()

    end.data_received(server_frame(0x88, (4008).to_bytes(2) + b"why"))
    end.connection_lost(None)

    assert codes == [4008]
    assert end.transport.written == wire.masked(wire.CLOSE, (4008).to_bytes(2))


async def test_cut_wire_reports_1006():
    end, _, codes = open_wire()

    end.connection_lost(ConnectionResetError())

    assert codes == [1006]


async def test_refused_wire_raises_the_first_line_of_the_response():
    end = wire.Wire(lambda key: b"", [].append, [].append)
    end.connection_made(Transport())

    end.data_received(b"HTTP/1.1 403 Forbidden\r\n\r\n")

    with pytest.raises(wire.Refused, match="403"):
        await end.opened
