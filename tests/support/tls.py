"""A certificate of the tests' own, for servers that speak TLS themselves."""

import contextlib
import datetime
import select
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "localhost"
A_DAY = datetime.timedelta(days=1)


def make_certificate(folder: Path) -> Path:
    """Write a self-signed certificate of `localhost` and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - A_DAY)
        .not_valid_after(now + A_DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(secret + certificate.public_bytes(pem))
    return path


TURN = threading.Lock()


class OneAtATime(ssl.SSLSocket):
    """For clients that read in one thread and write in another: before Python 3.13
    nothing keeps the two apart, and OpenSSL must not be used by both at once. (Seen:
    handshakes that were never answered.)"""

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        while True:
            with TURN, contextlib.suppress(ssl.SSLWantReadError):
                return self._recv_now(size)
            try:
                select.select([self], [], [], 0.05)
            except ValueError:  # the other thread has closed it
                return b""

    def _recv_now(self, size: int) -> bytes:
        """Raises `SSLWantReadError`."""
        before = self.gettimeout()
        self.settimeout(0)
        try:
            return super().recv(size)
        finally:
            with contextlib.suppress(OSError):
                self.settimeout(before)

    def sendall(self, data: bytes, flags: int = 0) -> None:
        with TURN:
            super().sendall(data, flags)


class Secure:
    """Makes a `Daphne` speak TLS itself."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        super().__init__(folder, *arguments, **environment)
        self._certificate = make_certificate(folder)
        self.tls = ssl.create_default_context(cafile=str(self._certificate))
        self.tls.sslsocket_class = OneAtATime

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    def address(self) -> list[str]:
        files = f"privateKey={self._certificate}:certKey={self._certificate}"
        return ["-e", f"ssl:{self.port}:interface=127.0.0.1:{files}"]
