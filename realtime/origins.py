"""Which pages may open a socket: those of this shop, with the same scheme and port.

A browser sends the shop's cookies with a socket that any site opens. Only the Origin
header tells such sites from the shop.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from realtime.asgi import Scope


def is_allowed(scope: Scope) -> bool:
    """Whether the handshake's Origin is this shop's.

    Programs other than browsers send no Origin. They have no visitor's cookies either.
    """
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is None:
        return True
    return origin.decode("latin1").lower() in _allowed(scope, headers)


def _allowed(scope: Scope, headers: dict[bytes, bytes]) -> set[str]:
    scheme, shop, *_path = urlsplit(settings.DOMAIN_NAME)
    origins = [f"{scheme}://{shop}", *settings.LIVE["ORIGINS"]]
    host = headers.get(b"host", b"").decode("latin1").lower()
    domain, _port = split_domain_port(host)
    if domain and validate_host(domain, settings.ALLOWED_HOSTS):
        origins.append(f"{_scheme(scope, headers)}://{host}")
    return {origin.lower() for origin in origins}


def _scheme(scope: Scope, headers: dict[bytes, bytes]) -> str:
    """Return http or https, as pages see it. Trust a proxy's header only if it is
    configured."""
    if settings.SECURE_PROXY_SSL_HEADER:
        name, secure = settings.SECURE_PROXY_SSL_HEADER
        header = name.removeprefix("HTTP_").replace("_", "-").lower().encode()
        value = headers.get(header, b"").decode("latin1")
        return "https" if value.split(",")[0].strip() == secure else "http"
    return "https" if scope.get("scheme") == "wss" else "http"
