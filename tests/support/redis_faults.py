"""What goes wrong with a Redis that programs use. A fault ends with its block."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis as redis_client

from realtime import outages
from tests.support.servers import START_S, Redis, wait_until

PAUSE_MS = 3000
KEYS, KEY_BYTES = 1000, 20_000  # Redis hears of nobody while it reads 2 MB
KEEPER = "keeper"  # an account of the tests, whom no fault concerns


@contextmanager
def keeper(redis: Redis) -> Iterator[redis_client.Redis]:
    """A client that may do everything, whatever happens to the others."""
    path = str(redis.socket)
    account = {"username": KEEPER, "password": KEEPER}
    with redis_client.Redis(unix_socket_path=path, **account) as client:
        try:
            client.ping()
        except redis_client.AuthenticationError:  # the first time
            with redis_client.Redis(unix_socket_path=path) as default:
                rights = ["on", f">{KEEPER}", "~*", "&*", "+@all"]
                default.execute_command("ACL", "SETUSER", KEEPER, *rights)
        yield client


def kill_clients(client: redis_client.Redis) -> None:
    client.execute_command("CLIENT", "KILL", "USER", "default")


@contextmanager
def configured(redis: Redis, name: str, value: str, normal: str) -> Iterator[None]:
    with keeper(redis) as client:
        client.config_set(name, value)
        try:
            yield
        finally:
            client.config_set(name, normal)


@contextmanager
def allowed(redis: Redis, *rules: str) -> Iterator[None]:
    """Meanwhile the shop's account has these rules of an ACL."""
    with keeper(redis) as client:
        client.execute_command("ACL", "SETUSER", "default", *rules)
        try:
            yield
        finally:
            everything = ["on", "nopass", "allkeys", "allchannels", "allcommands"]
            client.execute_command("ACL", "SETUSER", "default", *everything)


@contextmanager
def replica(redis: Redis) -> Iterator[None]:
    """As after a failover: it only reads, and what waits in it is sent away."""
    with keeper(redis) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", 1)
        try:
            yield
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")


def full(redis: Redis) -> AbstractContextManager[None]:
    return configured(redis, "maxmemory", "1", "0")


def without_replicas(redis: Redis) -> AbstractContextManager[None]:
    """It takes no writes, as too few replicas have them."""
    return configured(redis, "min-replicas-to-write", "1", "0")


def without_rights(redis: Redis) -> AbstractContextManager[None]:
    return allowed(redis, "nocommands", "+ping")


def without_writing(redis: Redis) -> AbstractContextManager[None]:
    return allowed(redis, "-@write", "-publish")


def without_keys(redis: Redis) -> AbstractContextManager[None]:
    return allowed(redis, "resetkeys")


def without_channels(redis: Redis) -> AbstractContextManager[None]:
    return allowed(redis, "resetchannels")


def without_blocking(redis: Redis) -> AbstractContextManager[None]:
    """What a worker needs and nobody else does."""
    return allowed(redis, "-brpop")


@contextmanager
def another_password(redis: Redis) -> Iterator[None]:
    with allowed(redis, "resetpass", ">another"):
        with keeper(redis) as client:
            kill_clients(client)
        yield


@contextmanager
def no_place(redis: Redis) -> Iterator[None]:
    """As many connections as it takes are open."""
    with keeper(redis) as client:
        client.config_set("maxclients", "1")
        kill_clients(client)
        try:
            yield
        finally:
            client.config_set("maxclients", "10000")


@contextmanager
def unsaved(redis: Redis) -> Iterator[None]:
    """It cannot write to its disk, and takes no changes until it can."""
    with keeper(redis) as client, tempfile.TemporaryDirectory() as folder:
        gone = Path(folder) / "gone"
        gone.mkdir()
        client.config_set("dir", str(gone))
        gone.rmdir()
        client.config_set("save", "3600 1")
        client.bgsave()
        wait_until(
            lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err",
            "a save that fails",
            5,
        )
        try:
            yield
        finally:
            client.config_set("save", "")
            client.config_set("dir", str(redis.socket.parent))


@contextmanager
def loading(redis: Redis) -> Iterator[None]:
    """It has been started, and reads for some seconds what it has kept."""
    with keeper(redis) as client:
        client.config_set("rdbcompression", "no")
        client.execute_command("DEBUG", "POPULATE", KEYS, "loaded", KEY_BYTES)
        client.save()
    redis.kill()
    redis.socket.unlink()
    redis.options = ["--key-load-delay", "3000"]  # microseconds
    redis.launch()
    wait_until(redis.socket.exists, "Redis", START_S)
    redis.options = []
    yield
    wait_until(redis.is_ready, "Redis", START_S)
    with keeper(redis) as client:
        client.delete(*(f"loaded:{number}" for number in range(KEYS)))
    (redis.socket.parent / "dump.rdb").unlink()


@contextmanager
def paused(redis: Redis) -> Iterator[None]:
    """It answers nobody for some seconds, and nobody can end it sooner."""
    with keeper(redis) as client:
        client.client_pause(PAUSE_MS)
    yield
    wait_until(redis.is_ready, "the end of the pause", START_S)


def frozen(redis: Redis) -> AbstractContextManager[None]:
    return redis.frozen()


@contextmanager
def killed(redis: Redis) -> Iterator[None]:
    redis.kill()
    try:
        yield
    finally:
        redis.start()


@dataclass(frozen=True)
class Fault:
    begin: Callable[[Redis], AbstractContextManager[None]]
    state: str  # how the shop calls it


FAULTS = {
    "replica": Fault(replica, outages.READ_ONLY),
    "without_replicas": Fault(without_replicas, outages.READ_ONLY),
    "unsaved": Fault(unsaved, outages.READ_ONLY),
    "full": Fault(full, outages.FULL),
    "without_rights": Fault(without_rights, outages.REFUSED),
    "without_writing": Fault(without_writing, outages.REFUSED),
    "without_keys": Fault(without_keys, outages.REFUSED),
    "without_channels": Fault(without_channels, outages.REFUSED),
    "another_password": Fault(another_password, outages.REFUSED),
    "no_place": Fault(no_place, outages.AWAY),
    "loading": Fault(loading, outages.AWAY),
    "paused": Fault(paused, outages.AWAY),
    "frozen": Fault(frozen, outages.AWAY),
    "killed": Fault(killed, outages.AWAY),
}
