"""Decodes uploaded pictures in a separate process with limits on memory and time.

The process runs `project.decoder`. Each server process decodes one picture at a time.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import BoundedSemaphore

from django.core.exceptions import ValidationError
from django.core.files import File
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)

DECODER = Path(__file__).with_name("decoder.py")
EXTENSIONS = ["jpg", "jpeg", "png", "webp"]
ACCEPT = "image/jpeg,image/png,image/webp"  # for the browser's dialogue
TIME_S = 30  # for one picture
PATIENCE_S = 5  # to wait for the picture before

# One picture is decoded and one waits. More would block the threads that serve pages.
_line = BoundedSemaphore(2)
_turn = BoundedSemaphore(1)


class PictureRefused(ValidationError):
    """A picture was rejected. The message says why and what to do. The `code` is
    `too_large`, `not_a_picture`, `too_many_pixels`, `too_thin`, `too_much_memory`,
    `broken`, `busy`, `too_often` or `not_stored`."""


def squares(
    file: File, sides: Sequence[int], *, max_bytes: int, in_line: bool = True
) -> list[bytes]:
    """Return the middle of the picture in `file` as squares with `sides` pixels.

    The squares are WebP, upright, in sRGB, without metadata, and never larger than the
    picture. Raises `PictureRefused`.

    Call it outside of transactions, because it can take long. Uploads wait `in_line`,
    so one is decoded at a time. Our own pictures may be decoded in parallel.
    """
    if file.size > max_bytes:
        raise refusal("too_large", size=file.size, limit=max_bytes)
    file.seek(0)
    data = file.read()
    file.seek(0)
    with _one_at_a_time() if in_line else nullcontext():
        answer, made = _decode(data, sides)
    if "refused" in answer:
        raise refusal(answer["refused"], **answer.get("params", {}))
    return made


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    if not _line.acquire(blocking=False):
        raise refusal("busy")
    try:
        if not _turn.acquire(timeout=PATIENCE_S):
            raise refusal("busy")
        try:
            yield
        finally:
            _turn.release()
    finally:
        _line.release()


def _decode(data: bytes, sides: Sequence[int]) -> tuple[dict, list[bytes]]:
    """Return the decoder's answer, and the squares if it made them."""
    command = [sys.executable, "-I", str(DECODER), *map(str, sides)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=TIME_S)
    except subprocess.TimeoutExpired:
        return {"refused": "too_much_memory"}, []
    line, _newline, rest = done.stdout.partition(b"\n")
    if done.returncode or not line:  # most likely it took too much memory
        output = done.stderr.decode(errors="replace")[-500:]
        logger.error("The decoder ended with %s: %s", done.returncode, output)
        return {"refused": "too_much_memory"}, []
    answer, made = json.loads(line), []
    for size in answer["sizes"]:
        made.append(rest[:size])
        rest = rest[size:]
    return answer, made


def refusal(code: str, **params: int) -> PictureRefused:
    """Return the error for `code`. `params` are the numbers in its message."""
    values: dict[str, object] = dict(params)
    match code:
        case "too_large":
            text = _("The picture is %(size)s. The limit is %(limit)s.")
            values = {name: filesizeformat(value) for name, value in params.items()}
        case "not_a_picture":
            text = _("We can’t read this picture. Please choose a JPEG, PNG or WebP.")
        case "too_many_pixels":
            text = _(
                "The picture has too many pixels: %(width)d × %(height)d. At most "
                "%(limit)d million are allowed. Make it smaller and upload it "
                "again."
            )
        case "too_thin":
            text = _(
                "The picture is too long and thin: %(width)d × %(height)d. The "
                "longer side can be at most %(limit)d times the shorter. Please "
                "crop it."
            )
        case "too_much_memory":
            text = _(
                "The picture takes too much memory to read. Save it as a smaller "
                "JPEG and upload it again."
            )
        case "busy":
            text = _(
                "We’re busy with other pictures. Please upload yours again in "
                "a minute."
            )
        case "too_often":
            text = _("You’ve uploaded too many pictures. Please try again in an hour.")
        case "not_stored":
            text = _(
                "We couldn’t store the picture, and nothing was saved. Please try "
                "again in a few minutes."
            )
        case _:
            text = _("The picture is damaged. Please choose another file.")
    return PictureRefused(text, code=code, params=values)
