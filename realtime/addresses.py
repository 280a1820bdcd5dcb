"""Whose address a connection comes from."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings

IPV6_HOME = 64  # bits: what one customer of a provider gets
NAT64 = ip_network("64:ff9b::/96")  # IPv4 addresses as a translator writes them


def client_of(scope: dict) -> str | None:
    """The address that limits count for: of IPv6 its /64. None: a program on this very
    machine, or one that the server knows no address of.

    Behind proxies of ours it is what the outermost of them has seen. They append to
    X-Forwarded-For, so that counts from the end, and whatever the client wrote itself
    stands before it.
    """
    written = _forwarded(scope) if settings.TRUSTED_PROXY_COUNT else []
    peer = (scope.get("client") or [None])[0]
    if len(written) >= settings.TRUSTED_PROXY_COUNT > 0:
        peer = written[-settings.TRUSTED_PROXY_COUNT]
    return _home(peer)


def client_of_request(meta: Mapping[str, str]) -> str | None:
    """The same for a request of Django's, by its `META`."""
    written = meta.get("HTTP_X_FORWARDED_FOR", "").encode("latin1", "replace")
    return client_of(
        {
            "client": [meta.get("REMOTE_ADDR")],
            "headers": [(b"x-forwarded-for", written)],
        }
    )


def _forwarded(scope: dict) -> list[str]:
    values = [v for name, v in scope["headers"] if name == b"x-forwarded-for"]
    parts = b",".join(values).decode("latin1").split(",")
    return [part.strip() for part in parts if part.strip()]


@lru_cache(1024)
def _home(address: str | None) -> str | None:
    plain = plain_address(address)
    if plain is None or plain.is_loopback:
        return None
    if plain.version == 6:
        return str(ip_network((plain, IPV6_HOME), strict=False))
    return str(plain)


def plain_address(text: str | None) -> IPv4Address | IPv6Address | None:
    """`text` in the one form to count and compare by. None for what is no address: of a
    Unix socket, or from a proxy that says "unknown".

    Servers bound to `::` see an IPv4 client as ::ffff:192.0.2.1: all of IPv4 would be
    in one network of IPv6. The zone of a link-local address is this machine's affair.
    """
    try:
        address = ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
    if address.version == 4:
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address
