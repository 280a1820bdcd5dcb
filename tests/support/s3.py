"""An S3 server for tests: moto's, as a process of its own."""

import contextlib
import re
import sys
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

from project.bucket import Bucket
from tests.support.servers import Process, free_port

KEYS = {"AWS_ACCESS_KEY_ID": "shop", "AWS_SECRET_ACCESS_KEY": "shop-secret"}
README = Path(__file__).resolve().parents[2] / "deploy" / "README.md"
ASKED = re.compile(r'"([A-Z]+) (/\S*) HTTP/1\.1" (\d+)')


class S3(Process):
    """What it was asked is in its log."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "s3.log")
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "moto.server", "-p", str(self.port)]

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{self.url}/moto-api/data.json", timeout=2).close()
            return True
        return False

    def refuse_everybody(self) -> None:
        """From now on no key is good."""
        self._tell("0")

    def let_everybody_in(self) -> None:
        self._tell("inf")

    def _tell(self, free_requests: str) -> None:
        url, headers = f"{self.url}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        order = urllib.request.Request(url, free_requests.encode(), headers)
        urllib.request.urlopen(order).close()


class TestBucket:
    """A bucket of a test's own, looked at past the shop."""

    __test__ = False

    def __init__(self, server: S3, name: str, prefix: str = "") -> None:
        self.server = server
        self.place = Bucket(
            name=name,
            region="eu-central-1",
            endpoint=server.url,
            prefix=prefix,
            address=f"https://pictures.example/{name}",
        )
        self._client = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name="eu-central-1",
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
            config=Config(retries={"total_max_attempts": 1}),
        )
        place = {"LocationConstraint": "eu-central-1"}
        self._client.create_bucket(Bucket=name, CreateBucketConfiguration=place)
        self._mark = server.mark()

    @property
    def storage(self) -> dict:
        """For `STORAGES`."""
        backend = "project.bucket_storage.BucketStorage"
        return {"BACKEND": backend, "OPTIONS": self.place.options}

    def let_everybody_read(self) -> None:
        """By the policy of deploy/README.md."""
        text = README.read_text().partition("may read objects")[2]
        policy = text[text.index("{") : text.index("]}") + 2]
        policy = policy.replace("BUCKET", self.place.name)
        self._client.put_bucket_policy(Bucket=self.place.name, Policy=policy)

    def keys(self) -> list[str]:
        page = self._client.list_objects_v2(Bucket=self.place.name)
        return sorted(item["Key"] for item in page.get("Contents", []))

    def get(self, key: str) -> dict:
        """Its headers, and its `Body` as bytes."""
        response = self._client.get_object(Bucket=self.place.name, Key=key)
        return response | {"Body": response["Body"].read()}

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self.place.name, Key=key)

    def forget_requests(self) -> None:
        self._mark = self.server.mark()

    def requests(self) -> list[str]:
        """What the server was asked since `forget_requests`, "PUT /name" each."""
        return [
            f"{verb} {path.partition('?')[0]}"
            for verb, path, _status in ASKED.findall(self.server.said(self._mark))
        ]
