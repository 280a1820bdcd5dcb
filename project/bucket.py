"""The bucket that pictures may live in, as the environment describes it.

What cannot work is refused here, in one line that says what to set.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from django.core.exceptions import ImproperlyConfigured

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
REGION = re.compile(r"[a-z0-9-]{2,40}")
PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
# Nothing in a host or a path may end a source of the Content-Security-Policy.
HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)*/?")
PLAIN_REGION = "us-east-1"  # what stores take that have no regions
HOW_TO_INSTALL = (
    "pip install -r deploy/requirements-bucket.txt -c deploy/constraints.txt"
)


@dataclass(frozen=True)
class Bucket:
    """Where pictures are stored, and where browsers fetch them."""

    name: str
    region: str
    endpoint: str | None  # of a store that is not Amazon's
    prefix: str  # of every object's name, without slashes at its ends
    address: str  # of the bucket for browsers, without a slash at its end

    @property
    def url(self) -> str:
        """What comes before a file's name in its address."""
        folder = f"{quote(self.prefix)}/" if self.prefix else ""
        return f"{self.address}/{folder}"

    @property
    def source(self) -> str:
        """The source of pictures for the Content-Security-Policy: this bucket (and
        prefix), not its neighbours on the same host."""
        has_path = urlsplit(self.url).path != "/"
        return self.url if has_path else self.address

    @property
    def options(self) -> dict[str, Any]:
        """For `STORAGES`."""
        return {
            "bucket_name": self.name,
            "region_name": self.region,
            "endpoint_url": self.endpoint,
            "location": self.prefix,
            "base_url": self.url,
        }


def from_environment(
    environment: Mapping[str, str] = os.environ, *, may_be_plain: bool = False
) -> Bucket | None:
    """Return the bucket that the environment names; None if it names none.

    Browsers fetch from it by https, or by http too if `may_be_plain`. Raises
    `ImproperlyConfigured` for what cannot work.
    """

    def text(name: str) -> str:
        return environment.get(name, "").strip()

    if not text("MEDIA_BUCKET"):
        for name in ("ENDPOINT", "REGION", "PREFIX", "URL"):
            if text(f"MEDIA_BUCKET_{name}"):
                raise ImproperlyConfigured(
                    f"MEDIA_BUCKET_{name} is set without MEDIA_BUCKET."
                )
        return None
    _check_library()
    _check_keys(text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY"))
    name = text("MEDIA_BUCKET")
    if not NAME.fullmatch(name):
        raise ImproperlyConfigured(
            f"MEDIA_BUCKET: {name!r} is not a bucket's name. It is a name alone, such"
            " as shop-pictures; an address goes to MEDIA_BUCKET_ENDPOINT."
        )
    endpoint = _endpoint(text("MEDIA_BUCKET_ENDPOINT"))
    region = text("MEDIA_BUCKET_REGION")
    region = region or text("AWS_REGION") or text("AWS_DEFAULT_REGION")
    region = _region(region, is_needed=endpoint is None)
    return Bucket(
        name=name,
        region=region,
        endpoint=endpoint,
        prefix=_prefix(text("MEDIA_BUCKET_PREFIX")),
        address=_address(
            text("MEDIA_BUCKET_URL") or _usual_address(name, region, endpoint),
            may_be_plain,
        ),
    )


def _check_library() -> None:
    missing = [name for name in ("storages", "boto3") if find_spec(name) is None]
    if missing:
        raise ImproperlyConfigured(
            "MEDIA_BUCKET needs django-storages, which is not installed:"
            f" {HOW_TO_INSTALL}"
        )


def _check_keys(key: str, secret: str) -> None:
    if bool(key) != bool(secret):
        raise ImproperlyConfigured(
            "Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither: without"
            " them the machine's role counts."
        )


def _region(region: str, *, is_needed: bool) -> str:
    if not region and is_needed:
        raise ImproperlyConfigured("MEDIA_BUCKET needs MEDIA_BUCKET_REGION.")
    if region and not REGION.fullmatch(region):
        raise ImproperlyConfigured(
            f"MEDIA_BUCKET_REGION: {region!r} is not a region, such as eu-central-1."
        )
    return region or PLAIN_REGION


def _prefix(text: str) -> str:
    prefix = text.strip("/")
    if prefix and not PREFIX.fullmatch(prefix):
        raise ImproperlyConfigured(
            f"MEDIA_BUCKET_PREFIX: {text!r} is not a folder, such as shop or"
            " shop/pictures (letters, digits, “.”, “_” and “-”)."
        )
    return prefix


def _endpoint(url: str) -> str | None:
    if not url:
        return None
    parts = _split("MEDIA_BUCKET_ENDPOINT", url)
    if parts.path.strip("/"):
        raise ImproperlyConfigured(
            f"MEDIA_BUCKET_ENDPOINT: {url!r} has a path. Leave it out: a bucket's name"
            " goes to MEDIA_BUCKET, a folder in it to MEDIA_BUCKET_PREFIX."
        )
    return f"{parts.scheme}://{parts.netloc}"


def _address(url: str, may_be_plain: bool) -> str:
    parts = _split("MEDIA_BUCKET_URL", url)
    if parts.scheme != "https" and not may_be_plain:
        raise ImproperlyConfigured(
            f"MEDIA_BUCKET_URL: {url!r} must begin with https://, as pages over https"
            " show no pictures over http. It is where browsers find the bucket."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _usual_address(name: str, region: str, endpoint: str | None) -> str:
    if endpoint:
        return f"{endpoint}/{name}"
    host = f"s3.{region}.amazonaws.com" + (".cn" if region.startswith("cn-") else "")
    # A certificate for *.s3… does not cover a name with a dot.
    return f"https://{host}/{name}" if "." in name else f"https://{name}.{host}"


def _split(variable: str, url: str) -> SplitResult:
    """The parts of an address that has a host and maybe a path, and no more."""
    try:
        parts = urlsplit(url)
        host, port = parts.netloc, parts.port
    except ValueError:
        host, port = "", None
    if host and port is not None:
        host = host.removesuffix(f":{port}")
    if (
        not host
        or parts.scheme not in ("http", "https")
        or not HOST.fullmatch(host)
        or not PATH.fullmatch(parts.path)
        or parts.query
        or parts.fragment
    ):
        raise ImproperlyConfigured(
            # It may hold a password, which is not for a log.
            f"{variable} cannot be read. It is an address such as"
            " https://pictures.example, without user, query or spaces."
        )
    return parts
