"""Redis as a shop in production has it: with users, behind TLS, with a replica and a
Sentinel that follows a failover."""

import contextlib
import hashlib
import random
import selectors
import socket
import ssl
import threading
from pathlib import Path

import redis as redis_client
import redis_program

from tests.support.servers import Process, Redis

USER, ADMIN = "shop", "admin"
# Everything that ends a part of an address, and what some read as a space.
SECRET = "s3cret@:/?#%$& +[],;=\\\"'|é"
QUOTED = "s3cret%40%3A%2F%3F%23%25%24%26%20%2B%5B%5D%2C%3B%3D%5C%22%27%7C%C3%A9"
# deploy/README.md says that these are enough.
RIGHTS = "~* &* +@all -@admin -@dangerous"
RIGHTS_AT_SENTINEL = "-@all +ping +hello +auth +sentinel|master +sentinel|masters"

Target = Path | tuple[str, int]


def quiet_port() -> int:
    """A port that nobody listens on, below those that systems give to connections: one
    of these would be somebody's by the time that the server starts."""
    while True:
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


def users(rights: str) -> list[str]:
    """Let in USER with SECRET, ADMIN, and nobody else."""
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    return [
        "user default off",
        f"user {USER} on #{digest} {rights}",
        f"user {ADMIN} on >{ADMIN} ~* &* +@all",
    ]


class GuardedRedis(Redis):
    """On a socket and a port, with `users`."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder)
        self.port = quiet_port()
        self._options = options
        self._users = folder / "users.acl"
        self._users.write_text("\n".join(users(RIGHTS)) + "\n")

    def command(self) -> list[str]:
        usual = super().command()
        usual[usual.index("--port") + 1] = str(self.port)
        # As a replica it signs in too.
        own = ["--masteruser", ADMIN, "--masterauth", ADMIN, "--bind", "127.0.0.1"]
        return [*usual, "--aclfile", str(self._users), *own, *self._options]

    def admin(self, db: int = 0) -> redis_client.Redis:
        """A client that may do anything."""
        return redis_client.Redis(
            unix_socket_path=str(self.socket), username=ADMIN, password=ADMIN, db=db
        )

    def is_ready(self) -> bool:
        with contextlib.suppress(redis_client.ConnectionError), self.admin() as client:
            return client.ping()
        return False


class Sentinel(Process):
    """One with `users`, which decides alone, and soon, that a server is down."""

    def __init__(self, folder: Path, **masters: tuple[str, int]) -> None:
        super().__init__(folder / "sentinel.log")
        self.port = quiet_port()
        self._file = folder / "sentinel.conf"
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {folder}",
            *users(RIGHTS_AT_SENTINEL),
            # Certificates are for names, so it tells those.
            "sentinel resolve-hostnames yes",
            "sentinel announce-hostnames yes",
        ]
        for name, (host, port) in masters.items():
            lines += [
                f"sentinel monitor {name} {host} {port} 1",
                f"sentinel auth-user {name} {ADMIN}",
                f"sentinel auth-pass {name} {ADMIN}",
                f"sentinel down-after-milliseconds {name} 500",
                f"sentinel failover-timeout {name} 3000",
            ]
        self._file.write_text("\n".join(lines) + "\n")

    def command(self) -> list[str]:
        return [redis_program.find(), str(self._file), "--sentinel"]

    def client(self) -> redis_client.Redis:
        return redis_client.Redis(port=self.port, username=ADMIN, password=ADMIN)

    def is_ready(self) -> bool:
        with contextlib.suppress(redis_client.ConnectionError), self.client() as client:
            return client.ping()
        return False


class TlsPort:
    """A port of `localhost` that speaks TLS before a server that does not. It may ask
    for a certificate of its `clients` too. `is_open` lets plain text through as well:
    Sentinels tell one address to all."""

    def __init__(
        self,
        target: Target,
        certificate: Path,
        *,
        clients: Path | None = None,
        is_open: bool = False,
    ) -> None:
        self._target, self._is_open = target, is_open
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)
        if clients:
            self._context.load_verify_locations(clients)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                near, _address = self._listener.accept()
                threading.Thread(target=self._serve, args=[near], daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError):  # one of the two has gone, or is refused
            if near.recv(1, socket.MSG_PEEK) == b"\x16":  # how TLS begins
                near = self._context.wrap_socket(near, server_side=True)
            elif not self._is_open:
                near.close()
            with self._reach() as far:
                _carry(near, far)
        near.close()

    def _reach(self) -> socket.socket:
        if isinstance(self._target, tuple):
            return socket.create_connection(self._target)
        far = socket.socket(socket.AF_UNIX)
        far.connect(str(self._target))
        return far


def _carry(near: socket.socket, far: socket.socket) -> None:
    """Until one of the two closes."""
    other = {near: far, far: near}
    with selectors.DefaultSelector() as ready:
        for end in other:
            ready.register(end, selectors.EVENT_READ)
        while True:
            for key, _events in ready.select():
                data = key.fileobj.recv(65536)
                if not data:
                    return
                while isinstance(key.fileobj, ssl.SSLSocket) and key.fileobj.pending():
                    data += key.fileobj.recv(65536)
                other[key.fileobj].sendall(data)
