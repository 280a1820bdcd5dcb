"""The client's address, behind proxies too."""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings

from realtime.asgi import Scope

IPV6_HOME = 64  # bits: what one customer of a provider gets
NAT64 = ip_network("64:ff9b::/96")  # IPv4 addresses behind a translator


def client_of(scope: Scope) -> str | None:
    """Return the address that limits count for; of an IPv6 address its /64.

    It is None for a program on this machine, and if the address is unknown.

    Behind our own proxies, trust what the outermost one has seen. Proxies append to
    X-Forwarded-For, so count from the end: what the client wrote itself comes first.
    """
    forwarded = _forwarded(scope) if settings.TRUSTED_PROXY_COUNT else []
    peer = (scope.get("client") or [None])[0]
    if len(forwarded) >= settings.TRUSTED_PROXY_COUNT > 0:
        peer = forwarded[-settings.TRUSTED_PROXY_COUNT]
    return _home(peer)


def client_of_request(meta: Mapping[str, str]) -> str | None:
    """Return the same for a Django request, given its `META`."""
    forwarded = meta.get("HTTP_X_FORWARDED_FOR", "").encode("latin1", "replace")
    return client_of(
        {
            "client": [meta.get("REMOTE_ADDR")],
            "headers": [(b"x-forwarded-for", forwarded)],
        }
    )


def _forwarded(scope: Scope) -> list[str]:
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
    """Return an address in a form that can be counted and compared.

    It is None if `text` is not an address: a Unix socket's, or "unknown" from a proxy.

    Servers bound to `::` see an IPv4 client as ::ffff:192.0.2.1, which would put all of
    IPv4 into one IPv6 network. The zone of a link-local address only means something on
    this machine.
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
