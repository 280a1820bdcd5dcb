"""Pages that are the same for all but for a few holes: the tokens of their forms and
the badge of the basket. A *shell* is such a page with the holes left open; filling it
takes no query and no template.

Compression is safe against BREACH because of how it is done: what is the visitor's own
is written into the stream as it is, and nothing is ever compressed together with it, so
its length tells nothing. What stands around it was compressed once, when the shell was
made.
"""

import hashlib
import re
import struct
import zlib
from functools import cached_property

from django.conf import settings
from django.middleware.csrf import CSRF_TOKEN_LENGTH
from django.utils.crypto import salted_hmac


def _hole(name: str) -> str:
    """A text that nobody can write who does not know the shop's key."""
    return salted_hmac("products.pagecache.shells", name).hexdigest()[:32]


TOKEN, BADGE, HERE = _hole("token"), _hole("badge"), _hole("here")
HOLES = re.compile(f"({TOKEN}|{BADGE})".encode())

WINDOW = 32 * 1024  # how far back deflate can refer to
LEVEL = 9
HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # gzip: no name, no time, any system
END = b"\x03\x00"  # an empty last block


class Shell:
    """A page with holes, ready to be filled again and again.

    `nobody` is the badge of who has no basket; `html` has TOKEN and BADGE in it.
    """

    def __init__(self, status: int, html: str, nobody: str) -> None:
        self.status = status
        self.nobody = nobody.encode()
        self._parts = HOLES.split(html.encode())
        self._mark = hashlib.blake2b(html.encode(), digest_size=9).hexdigest()

    def filled(self, token: str, badge: bytes) -> bytes:
        """The page for somebody."""
        return b"".join(self._fillings(token, badge))

    def etag(self, *whose: str) -> str:
        """Another one for another page, and for another visitor: `whose` is all that
        their page depends on, and may be secret."""
        key = settings.SECRET_KEY.encode()[:64]
        digest = hashlib.blake2b(repr(whose).encode(), key=key, digest_size=9)
        return f'W/"{self._mark}-{digest.hexdigest()}"'

    def zipped(self, token: str, badge: bytes) -> bytes:
        """As `filled`, as gzip."""
        page, stream, size = 0, [HEADER], 0
        for part, packed in zip(self._fillings(token, badge), self._packed):
            page, size = zlib.crc32(part, page), size + len(part)
            stream.append(_stored(part) if packed is None else packed)
        stream += [END, struct.pack("<LL", page, size & 0xFFFFFFFF)]
        return b"".join(stream)

    def _fillings(self, token: str, badge: bytes) -> list[bytes]:
        fillings = {TOKEN.encode(): token.encode(), BADGE.encode(): badge}
        return [fillings.get(part, part) for part in self._parts]

    @cached_property
    def _packed(self) -> list[bytes | None]:
        """Each part compressed, with what comes before it as the dictionary; None for
        a hole."""
        packed: list[bytes | None] = []
        before = b""
        for part in self._parts:
            if part == TOKEN.encode():
                # As long as a token, and nothing that a page may hold refers to it.
                before += bytes(CSRF_TOKEN_LENGTH)
                packed.append(None)
            elif part == BADGE.encode():
                before = b""  # of any length: what comes after it must not look back
                packed.append(None)
            else:
                packed.append(_packed(part, before[-WINDOW:]))
                before += part
        return packed


def _packed(part: bytes, before: bytes) -> bytes:
    """Deflate blocks that end on a whole byte."""
    dictionary = {"zdict": before} if before else {}
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, 9, **dictionary)
    return packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH)


def _stored(part: bytes) -> bytes:
    """A deflate block of bytes as they are, at most 65,535."""
    return struct.pack("<BHH", 0, len(part), len(part) ^ 0xFFFF) + part
