"""A visitor's HTTP client."""

import asyncio

import pytest

from realtime.loadtest import visit


@pytest.mark.parametrize("head", ["", "HTTP/1.1", "SSH-2.0-x", "HTTP/1.1 fine"])
async def test_response_that_is_not_http_is_a_failure(head):
    reader = asyncio.StreamReader()
    reader.feed_data(f"{head}\r\n\r\n".encode())

    with pytest.raises(visit.FAILURES):
        await visit.read_answer(reader)


async def test_response_whose_head_never_ends_is_a_failure():
    reader = asyncio.StreamReader(limit=10)
    reader.feed_data(b"HTTP/1.1 200 OK\r\n" * 100)

    with pytest.raises(visit.FAILURES):
        await visit.read_answer(reader)


def test_target_of_an_address_without_a_host_is_refused():
    with pytest.raises(ValueError, match="names no host"):
        visit.target("http:///shop")
