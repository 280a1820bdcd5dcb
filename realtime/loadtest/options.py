"""The flags, and what they may be: a load test that got loose is an attack."""

import argparse
import ipaddress
import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from realtime.loadtest.gates import expectation

PHASES = ("connect", "idle", "fanout", "shopping", "storm", "drain")
MOST_SOCKETS, MOST_RATE, MOST_SECONDS = 100_000, 5_000, 3_600
PORTS = 28_000  # that Linux gives out for one address of ours to one of theirs


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a load test to whoever's parser."""
    add = parser.add_argument
    add(
        "--url",
        default="http://localhost:8000",
        help="the shop, with its path (%(default)s)",
    )
    add("--sockets", type=_count(MOST_SOCKETS), default=200, help="(%(default)s)")
    add(
        *("--rate",),
        type=_number(MOST_RATE),
        default=100,
        help="sockets opened a second (%(default)s)",
    )
    add(
        *("--duration",),
        type=_number(MOST_SECONDS),
        default=20,
        help="seconds for idle, fan-out and shopping together (%(default)s)",
    )
    add(
        *("--phases",),
        type=_phases,
        default=PHASES,
        help="some of %s; connect and drain are always there" % ",".join(PHASES),
    )
    add("--changes", type=_number(1000), default=20, help="stock changes a second")
    add("--products", type=_count(64), default=20, help="watched by each socket")
    add("--buyers", type=_count(200), default=4, help="who order at the same time")
    add(
        *("--limit",),
        type=_number(2 * MOST_SECONDS),
        help="seconds after which it gives up (as long as it should take, and more)",
    )
    add("--quiet", type=_number(60), default=3, help="seconds to settle at the end")
    add("--seed", type=int, default=1, help="who does what when (%(default)s)")
    add("--expect", type=_expectation, action="append", default=[], metavar="FIGURE")
    add("--json", metavar="FILE", help="write all figures")
    add("--html", metavar="FILE", help="write a report with plots")
    add("--csv", metavar="FILE", help="write a line for each second")
    add(
        *("--source",),
        action="append",
        default=[],
        metavar="ADDRESS",
        help="an address of this machine to connect from; may be given several times",
    )
    add(
        *("--shared",),
        action="store_true",
        help="others shop there too: do not add up the units",
    )
    add("--metrics-token", default="", help="for /metrics, where the shop wants one")
    add("--i-own-this-host", default="", metavar="NAME", help="the host's name again")


def check(options: argparse.Namespace) -> None:
    """Look at flags that depend on each other. Raises `ValueError`."""
    address = urlsplit(options.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"{options.url!r} is not an address of a shop")
    if address.query or address.fragment:
        raise ValueError(f"{options.url!r}: leave out what follows the path")
    if not is_loopback(address.hostname) and options.i_own_this_host != (
        address.hostname
    ):
        raise ValueError(
            f"{address.hostname} is not this machine. If it is yours to load, say so: "
            f"--i-own-this-host {address.hostname}"
        )
    options.url = options.url.rstrip("/")
    for file in filter(None, (options.json, options.html, options.csv)):
        _check_file(Path(file))  # now, rather than when all is measured
    if not options.source and is_loopback(address.hostname):
        options.source = sources(options.sockets)
    if options.source and len(options.source) * PORTS < options.sockets:
        raise ValueError(
            f"{options.sockets} sockets need more addresses: --source, one for "
            f"{PORTS:,} each"
        )
    if not options.source and options.sockets > PORTS:
        raise ValueError(f"More than {PORTS:,} sockets need --source, more than once")


def _check_file(file: Path) -> None:
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise ValueError(f"{file} cannot be written")


def is_loopback(host: str) -> bool:
    """Whether a name stands for this machine, and for nothing else."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in found)


def sources(sockets: int) -> list[str]:
    """Loopback addresses enough for so many sockets; none where one will do."""
    needed = -(-sockets // PORTS)
    return [f"127.0.0.{1 + n}" for n in range(needed)] if needed > 1 else []


def _number(most: float):
    def number(text: str) -> float:
        value = float(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"more than 0, at most {most:,}")
        return value

    return number


def _count(most: int):
    def count(text: str) -> int:
        return int(_number(most)(str(int(text))))

    return count


def _phases(text: str) -> tuple[str, ...]:
    asked = {word.strip() for word in text.split(",")}
    if unknown := asked - set(PHASES):
        raise argparse.ArgumentTypeError(f"no such phase: {', '.join(sorted(unknown))}")
    asked |= {"connect", "drain"}
    return tuple(phase for phase in PHASES if phase in asked)


def _expectation(text: str):
    try:
        return expectation(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
