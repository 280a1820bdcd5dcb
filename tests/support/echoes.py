"""Our Daphne and plain Daphne with the applications of `echo.py`, which need neither
Redis nor a database."""

from pathlib import Path

from tests.support.servers import Daphne, PlainDaphne
from tests.support.tls import HOST, Secure

NOWHERE = "unix:///nowhere?db=0"
PATIENT = ["--websocket_connect_timeout", "60"]  # for a handshake, on a busy machine


class Echo(Daphne):
    name, application = "echo", "tests.support.echo:application"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, NOWHERE)

    def address(self) -> list[str]:
        return super().address() + PATIENT

    @property
    def address_of_sockets(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"


class UnlimitedEcho(Echo):
    """Sends no ping during a test: cases of the Autobahn suite that wait for
    a large message close the socket (1000) when anything else comes."""

    name, module = "unlimited", "tests.support.echo"
    ping_interval_s = 3600


class PlainEcho(Echo, PlainDaphne):
    name, module = "plain-echo", PlainDaphne.module


class Puppet(Echo):
    name, application = "puppet", "tests.support.echo:puppet"


class SecurePuppet(Secure, Puppet):
    """Over TLS, which Daphne speaks itself."""

    name = "secure-puppet"

    def address(self) -> list[str]:
        return super().address() + PATIENT

    @property
    def address_of_sockets(self) -> str:
        return f"wss://{HOST}:{self.port}/"
