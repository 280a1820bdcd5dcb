"""What tests of the load test share."""

import argparse
import asyncio
import contextlib
import email.utils
from collections.abc import AsyncIterator, Callable

from realtime.loadtest import options, wire
from realtime.loadtest.run import Run


def parse_flags(*arguments: str) -> argparse.Namespace:
    """Return the checked flags of a load test."""
    parser = argparse.ArgumentParser(exit_on_error=False)
    options.add_to(parser)
    flags = parser.parse_args(arguments)
    options.check(flags)
    return flags


def make_run(*arguments: str) -> Run:
    """Return a run with these flags that prints nothing."""
    return Run(parse_flags(*arguments), lambda text: None)


@contextlib.asynccontextmanager
async def answering(
    text: Callable[[], str], has_date: bool = False
) -> AsyncIterator[tuple[str, list[str]]]:
    """Serve `text()` at every path. Yields the URL, and the addresses of clients."""
    peers: list[str] = []
    answers: list[asyncio.Task] = []

    async def answer(reader, writer) -> None:
        answers.append(asyncio.current_task())
        peers.append(writer.get_extra_info("peername")[0])
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                body = text().encode()
                head = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
                if has_date:
                    head += f"\r\nDate: {email.utils.formatdate(usegmt=True)}"
                writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", peers
        await asyncio.gather(*answers)


class Transport(asyncio.Transport):
    """Keeps what the wire writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self._closing = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self._closing = True

    abort = close

    def is_closing(self) -> bool:
        return self._closing


def open_wire() -> tuple[wire.Wire, list[bytes], list[int]]:
    texts, codes = [], []
    end = wire.Wire(lambda key: b"", texts.append, codes.append)
    end.connection_made(Transport())
    end._is_open = True
    end.opened.set_result(None)
    return end, texts, codes
