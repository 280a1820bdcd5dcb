"""Settings of HTTP: policies for browsers, and limits on requests."""

from typing import Any

MB = 2**20


def content_security(origin: str, is_plain: bool) -> dict[str, Any]:
    """Return the Content-Security-Policy of a shop at `origin`, in the form of
    django-csp."""
    # Nothing inline, nothing from elsewhere. Forms go home too: Chromium holds the
    # whole chain of redirects after a form to it, which is why going to a provider of
    # OAuth 2.0 takes a page in between.
    return {
        "DIRECTIVES": {
            "default-src": ["'none'"],
            "script-src": ["'self'"],
            "style-src": ["'self'"],
            "img-src": ["'self'", "data:"],  # the QR code of a second factor
            "font-src": ["'self'"],
            # 'self' is not enough for a WebSocket in Safari before 15.4.
            "connect-src": ["'self'", origin.replace("http", "ws", 1)],
            "frame-src": ["'self'"],  # the outbox shows a mail so, in a sandbox
            "form-action": ["'self'"],
            "frame-ancestors": ["'none'"],
            "base-uri": ["'none'"],
            "object-src": ["'none'"],
            "upgrade-insecure-requests": not is_plain,
        }
    }


# Features that the shop does not use are denied, in case a foreign script gets in.
PERMISSIONS: dict[str, str | list[str]] = {
    "accelerometer": [],
    "autoplay": [],
    "browsing-topics": [],
    "camera": [],
    "display-capture": [],
    "encrypted-media": [],
    "fullscreen": [],
    "geolocation": [],
    "gyroscope": [],
    "hid": [],
    "identity-credentials-get": [],
    "idle-detection": [],
    "local-fonts": [],
    "magnetometer": [],
    "microphone": [],
    "midi": [],
    "otp-credentials": [],
    "payment": [],
    "picture-in-picture": [],
    "publickey-credentials-create": "self",  # passkeys
    "publickey-credentials-get": "self",
    "screen-wake-lock": [],
    "serial": [],
    "usb": [],
    "xr-spatial-tracking": [],
}


def limits(env: Any, base_path: str, import_bytes: int) -> dict[str, Any]:
    """Return `settings.HTTP`: how large requests may be, and how slow. `import_bytes`
    is the
    size of the largest file that the admin imports."""
    return {
        # The largest body of a request, in bytes, by the start of its path; the first
        # that fits counts. deploy/nginx/shop-locations.conf has the same numbers.
        "BODY_BYTES": [
            (f"{base_path}admin/products/product/import/", import_bytes + MB),
            (f"{base_path}admin/products/product/", 9 * MB),  # with a picture
            (f"{base_path}users/profile/", 6 * MB),  # with a picture
            (f"{base_path}payments/stripe/webhook/", MB // 4),
            *((f"{base_path}{path}/", MB // 16) for path in ("static", "media", "ws")),
            *((path, MB // 16) for path in ("/healthz", "/readyz", "/metrics")),
            ("/", MB),
        ],
        # One header (cookies are one), with its name, and all of them together. A
        # handshake has the same limits as a page. deploy/nginx/shop-locations.conf has
        # the first.
        "HEADER_BYTES": 16 * 1024,
        "HEADERS_BYTES": 32 * 1024,
        "SAFE_BODY_BYTES": MB // 16,  # of GET, HEAD and their like, whatever the path
        # All bodies that a process holds at a time; one address may have half of it.
        "BODIES_BYTES": env.int(
            "HTTP_BODIES_BYTES", max(64 * MB, 4 * import_bytes), least=MB, most=2**40
        ),
        # Seconds for a request's headers (and TLS); for the next piece of its body, and
        # to begin with, a second more for each BODY_RATE bytes that have come; until
        # the next request of a connection, or for a client to read on.
        "HEADERS_S": env.float("HTTP_HEADERS_S", 15, least=0.1),
        "BODY_S": env.float("HTTP_BODY_S", 20, least=0.1),
        "BODY_RATE": env.int("HTTP_BODY_RATE", 16 * 1024, least=1),
        "KEEP_ALIVE_S": env.float("HTTP_KEEP_ALIVE_S", 60, least=0.1),
        # Connections that wait for their client, in a process; one more closes the one
        # that has been silent longest.
        "CONNECTIONS": env.int("HTTP_CONNECTIONS", 2000, least=1),
    }
