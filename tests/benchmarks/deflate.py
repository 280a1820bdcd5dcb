"""What compressing frames would save and cost (permessage-deflate, RFC 7692).

    deploy/local/up.py --test exec python tests/benchmarks/deflate.py

A frame is compressed once for all who get it, without the context of the frames before
(`server_no_context_takeover`), as raw deflate without its last four bytes. It is then
written to as many TCP sockets of this machine as its audience has, which is the least
that a delivered frame costs; what the hub does besides for each socket would make the
ratio smaller. Ratios are of CPU, by the size of the audience. What a client sends would
have to be inflated, too: that is not counted.
"""

import argparse
import os
import select
import socket
import sys
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

AUDIENCES = (1, 3, 10, 100)
TAIL = b"\x00\x00\xff\xff"  # RFC 7692, section 7.2.1


def deflated(payload: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    data = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
    return data.removesuffix(TAIL)


def frame(variants: int) -> bytes:
    """An update as the hub sends it, with HTML."""
    from decimal import Decimal

    from products.catalogue.offers import stock_facts
    from products.live.registry import registry
    from products.models import Prices
    from realtime import protocol
    from realtime.registry import State

    items = []
    for pk in range(1, variants + 1):
        facts = stock_facts(
            variant_id=pk,
            left=90 + pk,
            prices=Prices(Decimal("12.50")),
            is_for_sale=True,
        )
        html = registry.render(f"stock:{pk}", State(17, facts), "en")
        items.append(protocol.item(f"stock:{pk}", 17, facts, html))
    return protocol.upd(items, time.time()).encode()


class Readers:
    """Connections whose other ends are read by another process."""

    def __init__(self, count: int) -> None:
        door = socket.create_server(("127.0.0.1", 0), backlog=count)
        self._pid = os.fork()
        if not self._pid:
            read(door.getsockname(), count)
        self.sockets = [door.accept()[0] for _ in range(count)]

    def close(self) -> None:
        for each in self.sockets:
            each.close()
        os.waitpid(self._pid, 0)


def read(address, count: int) -> None:
    """Until they are closed; does not return."""
    ends = [socket.create_connection(address) for _ in range(count)]
    poll = select.epoll()
    for end in ends:
        poll.register(end.fileno(), select.EPOLLIN)
    by_number = {end.fileno(): end for end in ends}
    while True:
        for number, _ in poll.poll():
            if not by_number[number].recv(65536):
                os._exit(0)


def cost(readers: Readers, payload: bytes, level: int, audience: int) -> float:
    """Seconds of CPU for a frame that is delivered; level 0: as it is."""
    rounds, spent = 2000 // audience, 0.0
    for _ in range(rounds):
        begun = time.process_time()
        data = deflated(payload, level) if level else payload
        for each in readers.sockets[:audience]:
            each.send(data)
        spent += time.process_time() - begun
        time.sleep(0.0005)  # the readers', who would be waited for
    return spent / (rounds * audience)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--level", type=int, default=6, help="of zlib, 1 to 9")
    options = parser.parse_args()
    import django

    django.setup()
    readers = Readers(max(AUDIENCES))
    for variants in (1, 20):
        payload = frame(variants)
        size = len(deflated(payload, options.level))
        print(f"{variants:2} products: {len(payload)} bytes, deflated {size}")
        for audience in AUDIENCES:
            plain = cost(readers, payload, 0, audience)
            packed = cost(readers, payload, options.level, audience)
            print(
                f"   to {audience:3}: {plain * 1e6:5.1f} µs a frame,"
                f" deflated {packed * 1e6:5.1f}: {packed / plain:.2f} x",
                flush=True,
            )
    readers.close()


if __name__ == "__main__":
    main()
