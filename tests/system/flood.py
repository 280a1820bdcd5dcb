"""Many handshakes at the same moment, as raw as can be: what each is answered."""

import asyncio
import json
import socket
from collections import Counter
from dataclasses import dataclass, field

from realtime.loadtest.wire import TEXT, masked
from tests.support.servers import Shop

HANDSHAKE = (
    "GET /ws/ HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Protocol: shop.v1\r\n\r\n"
)


@dataclass
class Flood:
    """What became of so many sockets that were asked for at once."""

    statuses: Counter[str] = field(default_factory=Counter)
    without_a_time: int = 0  # refused, and not told when to come back
    opened: list[asyncio.StreamReader] = field(default_factory=list)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __aenter__(self) -> "Flood":
        return self

    async def __aexit__(self, *exception: object) -> None:
        for writer in self._writers:
            writer.transport.abort()
        ends = (writer.wait_closed() for writer in self._writers)
        await asyncio.gather(*ends, return_exceptions=True)

    async def pour(self, shop: Shop, sockets: int, topic: str) -> None:
        """Ask for them, and subscribe where that is granted."""
        await asyncio.gather(*(self._ask(shop, topic) for _ in range(sockets)))

    async def _ask(self, shop: Shop, topic: str) -> None:
        handshake = HANDSHAKE.format(host=f"localhost:{shop.port}").encode()
        try:
            # Sent at once: on a busy machine this loop may take seconds for a turn, and
            # the server closes connections whose client is silent for so long.
            link = socket.create_connection(("127.0.0.1", shop.port))
            link.sendall(handshake)
            reader, writer = await asyncio.open_connection(sock=link)
            self._writers.append(writer)
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except (OSError, asyncio.IncompleteReadError) as error:
            self.statuses[type(error).__name__] += 1
            return
        status = head.split()[1]
        self.statuses[status] += 1
        if status == "101":
            message = json.dumps({"t": "sub", "id": 1, "topics": {topic: None}})
            writer.write(masked(TEXT, message.encode()))
            self.opened.append(reader)
        else:
            self.without_a_time += "\r\nretry-after: " not in head.lower()

    async def hears(self, words: bytes) -> int:
        """How many of the open sockets get a frame with these words in it."""
        heard = await asyncio.gather(
            *(reader.readuntil(words) for reader in self.opened),
            return_exceptions=True,
        )
        return sum(isinstance(each, bytes) for each in heard)
