"""Answers an HTTP request from ASGI code, without Django."""

from collections.abc import Iterable

from realtime.asgi import Send

Header = tuple[bytes, bytes]

NO_BODY = {204, 304}


async def respond(
    send: Send,
    status: int,
    headers: Iterable[Header],
    body: bytes,
    *,
    method: str = "GET",
) -> None:
    """Send a whole response. Its length is added; a response to HEAD has no body."""
    headers = list(headers)
    if status not in NO_BODY:
        headers.append((b"content-length", str(len(body)).encode()))
    if method == "HEAD":
        body = b""
    start = {"type": "http.response.start", "status": int(status), "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
