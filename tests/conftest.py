"""What all tests share."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from uuid import uuid4

import hypothesis
import msgpack
import pytest
import redis
from django.conf import settings as shop_settings
from django.db import connection
from django.test import TransactionTestCase
from xdist.remote import Producer

from realtime import outages
from realtime.publish import flush, group_of
from tests.support.rows import delete_all
from tests.support.s3 import KEYS, S3, TestBucket
from tests.support.scheduling import BothKinds
from tests.support.servers import collect_static
from tests.support.settings import replace_in_one_step


def pytest_configure() -> None:
    """Tests talk on channels of their own: a shop that runs on the same Redis, and
    other tests, hear nothing of them. Servers that tests start inherit it. And the
    folder of static files is there, though empty, when a module imports the pages."""
    replace_in_one_step()
    # Tests write rows past the services: pages are kept only where that is the point.
    os.environ["CATALOGUE_MAX_AGE_S"] = "0"
    shop_settings.CATALOGUE_MAX_AGE_S = 0
    # Started in the background by a script, we ignore it, and so would every server.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    prefix = os.environ["LAYER_PREFIX"] = f"test{os.getpid()}"
    shop_settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] = prefix
    shop_settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    # Examples are not timed: a busy machine is no reason to fail.
    hypothesis.settings.register_profile("suite", deadline=None, database=None)
    hypothesis.settings.load_profile("suite")


def pytest_sessionfinish() -> None:
    """Forget an outage of Redis: its thread would log to streams that are closed."""
    outages._reset()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as there are processors, as half of the time tests wait for others;
    few enough for the connections that one PostgreSQL gives."""
    return min(2 * (os.cpu_count() or 1), 4)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: Producer
) -> BothKinds | None:
    """Let `make test` run tests that wait beside those that do not."""
    return BothKinds(config, log) if config.getvalue("dist") == "loadfile" else None


# The files that take longest: 140 and 85 s, most of which they wait.
LONGEST = {"tests/system/test_loadtest.py", "tests/system/test_outages.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, or one process would end with them alone."""
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in LONGEST)


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> Path:
    """A folder for those of the tests, with one of static files that stays empty.

    `tmp_path` makes a folder for each test that takes it, and a link: 5 ms.
    """
    folder = tmp_path_factory.mktemp("tests")
    (folder / "static").mkdir()
    return folder


@pytest.fixture(autouse=True)
def shop(settings, folders) -> None:
    """Pictures in a folder and cache keys in a corner of the test's own (rate limits
    are counted there), static files as they are, quick passwords, plain http."""
    name = f"test-{uuid4().hex}"
    settings.MEDIA_ROOT = folders / name / "media"
    settings.STATIC_ROOT = folders / "static"
    plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
    corner = {"KEY_PREFIX": name}
    default = settings.CACHES["default"] | corner
    settings.CACHES = settings.CACHES | {"default": default}
    settings.STORAGES = settings.STORAGES | {"staticfiles": {"BACKEND": plain}}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SECURE_SSL_REDIRECT = False
    outages._reset()  # none from before


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker) -> None:
    """Variants have other numbers than products, so that a test fails if code takes the
    key of one for that of the other."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER SEQUENCE products_variant_id_seq RESTART WITH 700001")


@pytest.fixture(autouse=True, scope="session")
def _rows_go_and_their_kinds_stay() -> Iterator[None]:
    """After a test whose rows others saw; see `rows.delete_all`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: delete_all())
        yield


@pytest.fixture(scope="session")
def static(tmp_path_factory) -> dict[str, str]:
    """Style sheets and scripts as production has them, hashed and compressed, once for
    all processes that run tests; gives what makes a server find them."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "static" / "staticfiles.json").exists():
            collect_static(folder / "static")
    return {"STATIC_ROOT": str(folder / "static")}


@pytest.fixture(scope="session")
def s3(tmp_path_factory) -> Iterator[S3]:
    """An S3 server, which knows no keys and takes all."""
    server = S3(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bucket(s3, settings, monkeypatch) -> TestBucket:
    """Pictures live in a bucket of the test's own, in a folder of it."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    bucket = TestBucket(s3, f"shop-{uuid4().hex}", prefix="shop")
    settings.STORAGES = settings.STORAGES | {"default": bucket.storage}
    settings.MEDIA_URL = bucket.place.url
    bucket.forget_requests()
    return bucket


@pytest.fixture
def hear() -> Callable[..., AbstractContextManager[list[dict]]]:
    """What leaves through the channel layer for some topics during a block:

    with hear("stock:42") as events:
        …
    assert events == [{"type": "live", "topic": "stock:42", …}]

    The moment of the commit is left out: nobody can foretell it.
    """
    return hearing


_hearings = count()


@contextmanager
def hearing(*topics: str) -> Iterator[list[dict]]:
    prefix = shop_settings.CHANNEL_LAYERS["default"]["CONFIG"]["prefix"]
    channels = [f"{prefix}__group__{group_of(topic)}" for topic in topics]
    over = f"{prefix}-over-{next(_hearings)}"
    events: list[dict] = []
    flush()
    with redis.Redis.from_url(shop_settings.REDIS_URL) as client:
        with client.pubsub(ignore_subscribe_messages=True) as radio:
            radio.subscribe(*channels, over)
            for _ in range(len(channels) + 1):
                radio.get_message(timeout=5)  # the subscriptions' acknowledgements
            yield events
            assert flush(), "the publisher is stuck"
            client.publish(over, "over")
            for message in radio.listen():
                if message["channel"].decode() == over:
                    return
                event = msgpack.unpackb(message["data"])
                event.pop("at", None)
                events.append(event)
