"""Which hosts may be loaded, and from which addresses."""

import argparse
import ipaddress
import math
import socket
from urllib.parse import urlsplit

PORTS = 28_000  # that Linux uses between two addresses


def check_target(options: argparse.Namespace) -> None:
    """Check that the shop may be loaded. Raises `ValueError`."""
    address = urlsplit(options.url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"{options.url!r} is not the address of a shop")
    if address.query or address.fragment:
        raise ValueError(f"{options.url!r}: leave out what follows the path")
    if not is_loopback(address.hostname) and options.i_own_this_host != (
        address.hostname
    ):
        raise ValueError(
            f"{address.hostname} is not this machine. If you may load it, add "
            f"--i-own-this-host {address.hostname}"
        )
    options.url = options.url.rstrip("/")


def check_sources(options: argparse.Namespace, share: float = 1) -> None:
    """Check that there are enough addresses to connect from, for this machine's share
    of the sockets. Raises `ValueError`."""
    sockets = math.ceil(options.sockets * share)
    if not options.source and is_loopback(urlsplit(options.url).hostname):
        options.source = sources(sockets)
    if options.source and len(options.source) * PORTS < sockets:
        raise ValueError(
            f"{sockets} sockets need more addresses: one --source per {PORTS:,}"
        )
    if not options.source and sockets > PORTS:
        raise ValueError(f"More than {PORTS:,} sockets need more than one --source")


def is_loopback(host: str) -> bool:
    """Whether a name stands for this machine alone."""
    try:
        entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(ipaddress.ip_address(entry[4][0]).is_loopback for entry in entries)


def sources(sockets: int) -> list[str]:
    """Return enough loopback addresses for so many sockets; none if one is enough."""
    needed = -(-sockets // PORTS)
    return [f"127.0.0.{1 + n}" for n in range(needed)] if needed > 1 else []
