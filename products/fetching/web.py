"""Downloads pictures from the web, never from a private network.

The address of every host, those of redirects included, is looked up and checked before
the connection is made to that very address.
"""

import time
from io import BytesIO
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress

from products.catalogue.thumbnails import MAX_BYTES
from products.fetching.exceptions import FetchFailed

CONNECT_S, READ_S = 5, 10  # of one step
TOTAL_S = 60  # of the whole download
MOST_REDIRECTS = 3
CHUNK = 64 * 1024
EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
# What servers say that do not know the type. The decoder looks at the content anyway.
UNKNOWN_TYPES = {"", "application/octet-stream", "binary/octet-stream"}

# Refused before a connection is made.
NOT_PUBLIC = (
    InvalidIPAddress,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidURL,
    UnicodeError,
)


def download(url: str) -> UploadedFile:
    """Return the picture at `url`, not yet decoded. Raises `FetchFailed`."""
    deadline = time.monotonic() + TOTAL_S
    with _session() as session:
        try:
            with session.get(url, stream=True) as response:
                if response.status_code != 200:
                    raise FetchFailed.status(response.status_code)
                suffix = _suffix(response)
                content = _read(response, deadline)
        except NOT_PUBLIC as error:
            raise FetchFailed.forbidden() from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise FetchFailed.unreachable() from error
    name = PurePosixPath(unquote(urlsplit(url).path)).stem or "picture"
    return UploadedFile(BytesIO(content), f"{name}{suffix}", size=len(content))


def _session() -> HTTPSession:
    session = HTTPSession(
        Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=settings.FETCH_FROM_THIS_MACHINE,
            never_redirect=False,
            default_timeout=(CONNECT_S, READ_S),
            user_agent_override="Tidewater",
        )
    )
    session.headers["Accept-Encoding"] = "identity"
    session.trust_env = False  # a proxy would look up the address by itself
    session.max_redirects = MOST_REDIRECTS
    return session


def _suffix(response: requests.Response) -> str:
    """Return the file name's extension for the response's type."""
    media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    if media_type.lower() in UNKNOWN_TYPES:
        return PurePosixPath(urlsplit(response.url).path).suffix.lower()[:5] or ".jpg"
    try:
        return EXTENSIONS[media_type.lower()]
    except KeyError:
        raise FetchFailed.not_a_picture(media_type) from None


def _read(response: requests.Response, deadline: float) -> bytes:
    """Return the content. A server cannot send more or longer than is allowed.

    `read1` returns what has arrived, so a server that sends a byte at a time does not
    get past the deadline.
    """
    content = bytearray()
    while chunk := response.raw.read1(CHUNK, decode_content=False):
        content += chunk
        if len(content) > MAX_BYTES:
            raise FetchFailed.too_large(filesizeformat(MAX_BYTES))
        if time.monotonic() > deadline:
            raise FetchFailed.too_slow(TOTAL_S)
    return bytes(content)
