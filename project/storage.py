"""Where files are: static ones with their hash in the name, pictures in a folder."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from django.core.files.storage import FileSystemStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StorageAway(OSError):
    """A storage that does not answer, or refuses; another try may do."""


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage that also rewrites `import … from "./x.js";`.

    Imports must end in a semicolon: Django's pattern asks for it.
    """

    support_js_module_import_aggregation = True


class FolderStorage(FileSystemStorage):
    """Pictures in a folder. `project.bucket_storage` is its like for a bucket."""

    def files_below(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """(name, when it was stored) of each file in `folder` and in folders in it."""
        for place, _folders, files in os.walk(self.path(folder)):
            inner = Path(place).relative_to(self.location)
            for file in files:
                stored = datetime.fromtimestamp(Path(place, file).stat().st_mtime, UTC)
                yield str(PurePosixPath(inner, file)), stored
