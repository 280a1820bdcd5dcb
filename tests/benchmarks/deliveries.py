"""What it costs Redis to deliver a change to so many processes.

    deploy/local/up.py --test exec python tests/benchmarks/deliveries.py

Each of so many connections subscribes to one channel, as each process does that watches
a topic. Somebody publishes messages as long as those of a change, one after the other.
CPU is Redis' own.
"""

import argparse
import contextlib
import select
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "deploy" / "local")]

from tests.benchmarks.cpu import cpu_of  # noqa: E402
from tests.support.servers import Redis  # noqa: E402

MESSAGE = b"x" * 100  # bytes; a change of stock has 95 to 110


def subscribe(redis: Redis) -> socket.socket:
    link = socket.socket(socket.AF_UNIX)
    link.connect(str(redis.socket))
    link.sendall(b"SUBSCRIBE live\r\n")
    link.recv(100)
    return link


def measure(redis: Redis, processes: int, messages: int) -> tuple[float, float]:
    """Redis' CPU and the time for all deliveries, in seconds."""
    command = b"PUBLISH live " + MESSAGE + b"\r\n"
    with contextlib.ExitStack() as links:
        heard = [links.enter_context(subscribe(redis)) for _ in range(processes)]
        publisher = links.enter_context(socket.socket(socket.AF_UNIX))
        publisher.connect(str(redis.socket))
        poll = select.epoll()
        by_number = {link.fileno(): link for link in [*heard, publisher]}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        cpu, begun = cpu_of(redis.pid), time.monotonic()
        for _ in range(messages):
            publisher.sendall(command)
            while publisher.fileno() not in _read(poll, by_number):
                pass
        return cpu_of(redis.pid) - cpu, time.monotonic() - begun


def _read(poll: select.epoll, links: dict[int, socket.socket]) -> list[int]:
    numbers = [number for number, _ in poll.poll()]
    for number in numbers:
        links[number].recv(65536)
    return numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, nargs="+", default=[0, 6, 60, 240])
    parser.add_argument("--messages", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(Path(folder))
        redis.start()
        try:
            for processes in options.processes:
                cpu, seconds = measure(redis, processes, options.messages)
                each = cpu / options.messages * 1e6
                print(
                    f"{processes:4} processes: {each:7.1f} µs of Redis' CPU a change,"
                    f" {each / max(1, processes):5.2f} a delivery;"
                    f" {options.messages / seconds:,.0f} changes a second",
                    flush=True,
                )
        finally:
            redis.stop()


if __name__ == "__main__":
    main()
