"""Private files in the database, in parts.

Every process of every machine gets at them, nobody can fetch them by an address, and
they come and go with the transaction of the rows that name them.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from tempfile import TemporaryFile

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import IntegrityError, transaction
from django.utils.deconstruct import deconstructible

PART = 2**20  # bytes


@deconstructible
class DatabaseStorage(Storage):
    """The files of one folder; those of other folders may have the same names."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @property
    def _files(self):
        # The model exists once the applications are loaded; storages are made before.
        from project.models import PrivateFile

        return PrivateFile.objects.filter(folder=self.folder)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name. Of several who do it at once, one succeeds; raises
        `FileNotFoundError` for the others."""
        try:
            with transaction.atomic():
                is_renamed = self._files.filter(name=old).update(name=new)
        except IntegrityError as error:
            raise FileExistsError(17, "There is one already", new) from error
        if not is_renamed:
            raise FileNotFoundError(2, "No such file", old)

    def _open(self, name: str, mode: str = "rb") -> File:
        if mode != "rb":
            raise ValueError(f"A private file is only read, not opened as {mode!r}.")
        row = self._get(name)
        content = TemporaryFile()
        for data in _parts(row):
            content.write(data)
        content.seek(0)
        return File(content, name)

    @transaction.atomic
    def _save(self, name: str, content: File) -> str:
        from project.models import PrivateFilePart

        content.seek(0)
        file = self._files.create(folder=self.folder, name=name, size=content.size)
        for number, data in enumerate(content.chunks(PART)):
            data = data.encode() if isinstance(data, str) else data
            PrivateFilePart.objects.create(file=file, number=number, data=data)
        return name

    def delete(self, name: str) -> None:
        self._files.filter(name=name).delete()

    def exists(self, name: str) -> bool:
        return self._files.filter(name=name).exists()

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        start = f"{path.strip('/')}/" if path.strip("/") else ""
        names = self._files.filter(name__startswith=start).values_list(
            "name", flat=True
        )
        inner = [name.removeprefix(start) for name in names.order_by("name")]
        folders = {name.partition("/")[0] for name in inner if "/" in name}
        return sorted(folders), [name for name in inner if "/" not in name]

    def size(self, name: str) -> int:
        return self._get(name).size

    def get_modified_time(self, name: str) -> datetime:
        return self._get(name).created_at

    def _get(self, name: str):
        row = self._files.filter(name=name).first()
        if row is None:
            raise FileNotFoundError(2, "No such file", name)
        return row


def _parts(file) -> Iterator[bytes]:
    for number in count():
        part = file.parts.filter(number=number).values_list("data", flat=True).first()
        if part is None:
            return
        yield bytes(part)
