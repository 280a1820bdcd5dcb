"""Responses that ASGI code sends without Django."""

from realtime.responses import respond

KIND = (b"content-type", b"text/plain")


async def sent(status: int, body: bytes, method: str = "GET") -> list[dict]:
    messages: list[dict] = []

    async def send(message: dict) -> None:
        messages.append(message)

    await respond(send, status, [KIND], body, method=method)
    return messages


async def test_response_has_its_length():
    start, end = await sent(503, b"Later, please.")

    assert start == {
        "type": "http.response.start",
        "status": 503,
        "headers": [KIND, (b"content-length", b"14")],
    }
    assert end == {"type": "http.response.body", "body": b"Later, please."}


async def test_response_to_head_has_the_length_and_no_body():
    start, end = await sent(200, b"text", method="HEAD")

    assert (b"content-length", b"4") in start["headers"]
    assert end["body"] == b""


async def test_response_that_never_has_a_body_has_no_length():
    start, _end = await sent(304, b"")

    assert start["headers"] == [KIND]
