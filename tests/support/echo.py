"""Small applications for tests of the server.

    python -m realtime.server tests.support.echo:application

`python -m tests.support.echo` is the same server without its limits on input.
"""

import gc
import json
from collections import Counter
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402

from realtime.protocol import Frame  # noqa: E402
from realtime.server import server  # noqa: E402
from realtime.server.command import Command  # noqa: E402
from realtime.server.wire import EXTENSION, Wire  # noqa: E402

LARGEST = 2**24
settings.LIVE["MAX_PARTS"] = 2**40  # the suite sends thousands


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send each message back unchanged, even an empty one."""
    await receive()  # "websocket.connect"
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        await send(message | {"type": "websocket.send"})


async def puppet(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Obey the path, `/refuse/429`, or each text on another path.

    Texts are `close 1012`, `put 70000 3` (write so many bytes, so often), `scope`,
    `pending`, `connections` (how many the server has) and `garbage` (objects in
    reference cycles since the last time).
    """
    await receive()
    if "/refuse/" in scope["path"]:
        await _refuse(int(scope["path"].rpartition("/")[2]), send)
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        word, *numbers = message["text"].split()
        await _do(word, list(map(int, numbers)), scope, send)


async def _refuse(status: int, send: Any) -> None:
    headers = [(b"retry-after", b"7"), (b"content-type", b"text/plain")]
    start = {"type": "websocket.http.response.start", "status": status}
    await send(start | {"headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"Later, please."})


async def _do(word: str, numbers: list[int], scope: dict[str, Any], send: Any) -> None:
    wire: Wire = scope["extensions"][EXTENSION]
    match word:
        case "close":
            await send({"type": "websocket.close", "code": numbers[0]})
        case "put":
            size, times = numbers
            for number in range(times):
                wire.put(Frame(str(number % 10) * size).wire)
        case "pending":
            wire.put(Frame(str(wire.pending())).wire)
        case "scope":
            known = {name: scope[name] for name in ("scheme", "root_path", "path")}
            facts = known | {"extensions": list(scope["extensions"])}
            await send({"type": "websocket.send", "text": json.dumps(facts)})
        case "connections":
            count = len(wire.server.connections)
            await send({"type": "websocket.send", "text": json.dumps(count)})
        case "garbage":
            await send({"type": "websocket.send", "text": json.dumps(_garbage())})


def _garbage() -> dict[str, int]:
    """Count garbage by type. Automatic collection is off from now on."""
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    counts = Counter(type(thing).__name__ for thing in gc.garbage)
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    return counts


class Unlimited(server.Server):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        sizes = ("websocket_max_message_size", "websocket_max_frame_size")
        super().__init__(*arguments, **options | dict.fromkeys(sizes, LARGEST))


if __name__ == "__main__":
    server.MAX_MESSAGE, settings.LIVE["MAX_BYTES"] = LARGEST, 2**40
    Command.server_class = Unlimited
    Command.entrypoint()
