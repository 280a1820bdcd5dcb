"""Keeps pictures in a bucket of Amazon S3 or of a compatible store.

The storage does not check whether a name is free, because all its callers make unique
names. URLs are built without a request to the bucket.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
)
from django.core.files.base import ContentFile, File
from django.utils.encoding import filepath_to_uri
from storages.backends.s3 import S3Storage

from project.storage import StorageAway

# A bucket that does not answer delays a page by these seconds, at most twice.
CONNECT_S, READ_S, TRIES = 2, 4, 2
AWAY_S = 5  # no requests are sent for so long after a failure
TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
# The picture of a name never changes. Shared caches may not keep pictures of people,
# because they would show them after the account is deleted.
FOR_EVER = "public, max-age=31536000, immutable"
FOR_AN_HOUR = "private, max-age=3600"
PEOPLE = "people/"
GONE = {"404", "NoSuchKey", "NotFound"}


class BucketStorage(S3Storage):
    """Raises `FileNotFoundError` if a file does not exist, and `StorageAway` if the
    bucket refuses a request or does not answer."""

    def __init__(
        self,
        *,
        base_url: str,
        bucket_name: str,
        region_name: str,
        endpoint_url: str | None = None,
        location: str = "",
    ) -> None:
        self.base_url = base_url
        self._away_until = 0.0
        super().__init__(
            bucket_name=bucket_name,
            region_name=region_name,
            endpoint_url=endpoint_url,
            location=location,
            default_acl=None,  # the bucket's policy says who may see what
            file_overwrite=True,  # see above
            gzip=False,
            client_config=Config(
                signature_version="s3v4",
                connect_timeout=CONNECT_S,
                read_timeout=READ_S,
                retries={"mode": "standard", "total_max_attempts": TRIES},
                tcp_keepalive=True,
                # Other stores than Amazon's do not know its newer checksums.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
            # In the calling thread, and in one piece.
            transfer_config=TransferConfig(
                use_threads=False, multipart_threshold=64 * 2**20
            ),
        )

    def url(self, name: str, **options: Any) -> str:
        return self.base_url + filepath_to_uri(name).lstrip("/")

    def get_object_parameters(self, name: str) -> dict[str, str]:
        """Return the headers to store with an object.

        Its type follows from its name and not from the upload. Files that are not
        pictures are downloaded and never shown as pages.
        """
        name = name.removeprefix(f"{self.location}/")
        is_person = name.startswith(PEOPLE)
        headers = {"CacheControl": FOR_AN_HOUR if is_person else FOR_EVER}
        kind = TYPES.get(PurePosixPath(name).suffix.lower())
        if kind:
            return headers | {"ContentType": kind}
        return headers | {
            "ContentType": self.default_content_type,
            "ContentDisposition": "attachment",
        }

    def files_below(self, folder: str) -> Iterator[tuple[str, datetime]]:
        """Yield name and time of each file in `folder` and the folders below it.

        A thousand files take one request.
        """
        start = f"{self.location}/" if self.location else ""
        objects = self.bucket.objects.filter(Prefix=f"{start}{folder.strip('/')}/")
        with self._asking(folder):
            for item in objects:
                yield item.key.removeprefix(start), item.last_modified

    def _open(self, name: str, mode: str = "rb") -> File:
        if mode != "rb":
            raise ValueError(
                f"A file of a bucket is only read, not opened as {mode!r}."
            )
        with self._asking(name):
            response = self.bucket.Object(self._key(name)).get()
            return ContentFile(response["Body"].read(), name)

    def _save(self, name: str, content: File) -> str:
        with self._asking(name):
            return super()._save(name, content)

    def delete(self, name: str) -> None:
        with self._asking(name):
            self.bucket.Object(self._key(name)).delete()

    def exists(self, name: str) -> bool:
        with self._asking(name):
            return super().exists(name)

    def size(self, name: str) -> int:
        with self._asking(name):
            return super().size(name)

    def get_modified_time(self, name: str) -> datetime:
        with self._asking(name):
            return super().get_modified_time(name)

    def listdir(self, name: str) -> tuple[list[str], list[str]]:
        with self._asking(name):
            return super().listdir(name)

    def _key(self, name: str) -> str:
        return self._normalize_name(name)

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Turn the library's errors into Python's.

        After a failure, raise `StorageAway` at once for a few seconds, so that the next
        pages do not wait.
        """
        if time.monotonic() < self._away_until:
            raise StorageAway("The bucket did not answer a moment ago.")
        try:
            yield
        except ClientError as error:
            details = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == HTTPStatus.NOT_FOUND and details.get("Code") in GONE:
                raise FileNotFoundError(2, "Not in the bucket", name) from error
            code = details.get("Code", status)
            raise StorageAway(f"The bucket refuses: {code}") from error
        except (BotoCoreError, Boto3Error) as error:
            if isinstance(error, (ConnectionError, HTTPClientError)):
                self._away_until = time.monotonic() + AWAY_S
            raise StorageAway(f"The bucket is away: {error}") from error
