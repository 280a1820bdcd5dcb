"""Whose address a connection comes from."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from django.conf import settings

IPV6_HOME = 64  # bits: what one customer of a provider gets


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


def _home(address: str | None) -> str | None:
    try:
        parsed = ip_address(address or "")
    except ValueError:  # a Unix socket, or a proxy that says "unknown"
        return None
    if parsed.version == 6 and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    if parsed.is_loopback:
        return None
    if parsed.version == 6:
        return str(ip_network((parsed, IPV6_HOME), strict=False))
    return str(parsed)
