"""A visitor's HTTP client: cookies, an Origin, forms, and one connection."""

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 30
UNIX = "unix:"  # begins the address of a Unix socket; its path follows
STATUS = re.compile(r"HTTP/1\.\d (\d{3})\b")


class Unexpected(Exception):
    """A response that no visitor should get."""


class Unreachable(Exception):
    """There is no shop, or it shows no products to watch."""


# What a request to a shop may raise: no connection, a broken one, no HTTP, no response.
FAILURES = (
    *(OSError, ValueError, TimeoutError, EOFError),
    *(asyncio.LimitOverrunError, Unexpected),
)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Visit:
    """One session at the shop at `url`, which may have a path. Paths of pages are
    relative to it. `note(seconds, is_fine)` is called after each request."""

    def __init__(
        self, url: str, note: Callable[[float, bool], None] = lambda *_: None
    ) -> None:
        self.url, self._note = url, note
        self.origin, self._base = split_url(url)
        self.cookies: dict[str, str] = {}
        self._link: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, **headers: str) -> Answer:
        """Load a page. Raises `OSError`, `TimeoutError` or `ValueError`."""
        return await self._ask("GET", path, headers, b"")

    async def post(self, path: str, **fields: object) -> Answer:
        """Send a form, as the shop's script does."""
        kind = "application/x-www-form-urlencoded"
        headers = {
            "Content-Type": kind,
            "Origin": self.origin,
            "Referer": self.url + path,
            "Accept": "application/json, text/html",
            "X-CSRFToken": self._csrf,
        }
        return await self._ask("POST", path, headers, urlencode(fields).encode())

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def _csrf(self) -> str:
        tokens = [v for n, v in self.cookies.items() if n.endswith("csrftoken")]
        return tokens[0] if tokens else ""

    async def close(self) -> None:
        if self._link is not None:
            self._link[1].close()
            self._link = None

    async def _ask(self, method: str, path: str, headers: dict, body: bytes) -> Answer:
        start = time.perf_counter()
        is_fine = False
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._send(method, path, headers, body)
            is_fine = answer.status < 500
        except BaseException:
            await self.close()
            raise
        finally:
            self._note(time.perf_counter() - start, is_fine)
        self._keep_cookies(answer.headers)
        return answer

    async def _send(self, method: str, path: str, more: dict, body: bytes) -> Answer:
        """Send a request. Retry once if a reused connection has been closed."""
        is_reused = self._link is not None
        try:
            return await self._exchange(method, path, more, body)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await self.close()
            is_unanswered = not getattr(error, "partial", b"")
            if not is_reused or not is_unanswered or method != "GET":
                raise ConnectionError(f"no response: {error}") from error
            return await self._exchange(method, path, more, body)

    async def _exchange(
        self, method: str, path: str, more: dict, body: bytes
    ) -> Answer:
        if self._link is None:
            self._link = await connect(self.url)
        reader, writer = self._link
        headers = {"Host": urlsplit(self.origin).netloc, **more}
        if self.cookies:
            headers["Cookie"] = self.cookie
        if method == "POST":
            headers["Content-Length"] = str(len(body))
        lines = [
            f"{method} {self._base}{path} HTTP/1.1",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin1") + body)
        answer = await read_answer(reader)
        if answer.headers.get("connection", "").lower() == "close":
            await self.close()
        return answer

    def _keep_cookies(self, headers: dict[str, str]) -> None:
        for line in headers.get("set-cookie", "").split("\n"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if url.startswith(UNIX):
        path = url.removeprefix(UNIX)
        return await asyncio.open_unix_connection(path, limit=1 << 20)
    host, port, tls = target(url)
    return await asyncio.open_connection(host, port, ssl=tls, limit=1 << 20)


def split_url(url: str) -> tuple[str, str]:
    """Split a shop's URL into its origin, as browsers send it, and its path: "" or
    "/shop"."""
    if url.startswith(UNIX):
        return "http://localhost", ""
    address = urlsplit(url)
    return f"{address.scheme}://{address.netloc}", address.path.rstrip("/")


def target(url: str) -> tuple[str, int, ssl.SSLContext | None]:
    """Return host, port and, for https, the certificates to trust. Raises `ValueError`
    if the URL names no host."""
    address = urlsplit(url)
    if not address.hostname:
        raise ValueError(f"{url!r} names no host")
    tls = ssl.create_default_context() if address.scheme == "https" else None
    return address.hostname, address.port or (443 if tls else 80), tls


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
    first, *lines = head.split("\r\n")
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
    if (match := STATUS.match(first)) is None:
        raise Unexpected(f"not HTTP: {first[:60]!r}")
    status = int(match[1])
    return Answer(status, headers, (await _body(reader, status, headers)).decode())


async def _body(reader: asyncio.StreamReader, status: int, headers: dict) -> bytes:
    if status in (204, 304):
        return b""
    if "chunked" in headers.get("transfer-encoding", ""):
        return await _chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    headers["connection"] = "close"
    return await reader.read()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
