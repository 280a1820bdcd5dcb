"""Shells: pages with placeholders for what differs between visitors.

These are the tokens of forms and the basket badge. Filling a shell takes no query and
no template.

Filled pages are compressed, and safe from BREACH. The visitor's own data is written
into the gzip stream uncompressed and is in no dictionary, so the length of the stream
does not depend on it. The rest is compressed once, when the shell is made.
"""

import hashlib
import re
import struct
import zlib
from functools import cached_property

from django.conf import settings
from django.middleware.csrf import CSRF_TOKEN_LENGTH
from django.utils.crypto import salted_hmac


def _placeholder(name: str) -> str:
    """Return a text that nobody can write without the shop's secret key."""
    return salted_hmac("products.pagecache.shells", name).hexdigest()[:32]


TOKEN = _placeholder("token")
BADGE = _placeholder("badge")
HERE = _placeholder("here")  # the page's path, in cached cards alone
PLACEHOLDERS = re.compile(f"({TOKEN}|{BADGE})".encode())

WINDOW = 32 * 1024  # how far back deflate refers
LEVEL = 9
HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # gzip: no name, no time, any system
END = b"\x03\x00"  # an empty last block


class Shell:
    """A page to be filled for many visitors.

    `html` contains TOKEN and BADGE; `empty_badge` is for visitors without a basket.
    """

    def __init__(self, status: int, html: str, empty_badge: str) -> None:
        self.status = status
        self.empty_badge = empty_badge.encode()
        self._parts = PLACEHOLDERS.split(html.encode())
        self._digest = hashlib.blake2b(html.encode(), digest_size=9).hexdigest()

    def filled(self, token: str, badge: bytes) -> bytes:
        """Return the page for one visitor."""
        return b"".join(self._fillings(token, badge))

    def etag(self, *personal: str) -> str:
        """Return the ETag of the page for one visitor. `personal` is all that their
        page depends on; it may be secret."""
        key = settings.SECRET_KEY.encode()[:64]
        digest = hashlib.blake2b(repr(personal).encode(), key=key, digest_size=9)
        return f'W/"{self._digest}-{digest.hexdigest()}"'

    def zipped(self, token: str, badge: bytes) -> bytes:
        """Return the page for one visitor, compressed with gzip."""
        checksum, stream, size = 0, [HEADER], 0
        for part, packed in zip(self._fillings(token, badge), self._packed):
            checksum, size = zlib.crc32(part, checksum), size + len(part)
            stream.append(_stored(part) if packed is None else packed)
        stream += [END, struct.pack("<LL", checksum, size & 0xFFFFFFFF)]
        return b"".join(stream)

    def _fillings(self, token: str, badge: bytes) -> list[bytes]:
        fillings = {TOKEN.encode(): token.encode(), BADGE.encode(): badge}
        return [fillings.get(part, part) for part in self._parts]

    @cached_property
    def _packed(self) -> list[bytes | None]:
        """Each part, compressed with the page before it as the dictionary. None for a
        placeholder."""
        packed: list[bytes | None] = []
        before = b""
        for part in self._parts:
            if part == TOKEN.encode():
                # Zeros as long as a token, which no text in a page refers to.
                before += bytes(CSRF_TOKEN_LENGTH)
                packed.append(None)
            elif part == BADGE.encode():
                before = b""  # its length varies: later parts must not refer past it
                packed.append(None)
            else:
                packed.append(_packed(part, before[-WINDOW:]))
                before += part
        return packed


def _packed(part: bytes, before: bytes) -> bytes:
    """Return deflate blocks that end at a whole byte."""
    options = (LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    if before:
        packer = zlib.compressobj(*options, zdict=before)
    else:
        packer = zlib.compressobj(*options)
    return packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)


def _stored(part: bytes) -> bytes:
    """Return a deflate block of uncompressed bytes, at most 65,535."""
    return struct.pack("<BHH", 0, len(part), len(part) ^ 0xFFFF) + part
