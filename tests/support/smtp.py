"""A real mail server on loopback that does as it is told: takes, refuses, hangs."""

import asyncio
import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.servers import free_port

HOST = "127.0.0.1"

logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's, line for line


class SmtpServer:
    """Answers 250 to everything, until it is told otherwise.

    `refuse` maps recipients to the answer they get ("550 No such person"), `answer` is
    the one to the mail itself, `hang_at` holds commands that get no answer for now.
    `STARTTLS` as `tls` demands it before any mail, "implicit" talks TLS from the start.
    """

    def __init__(self, tls: str = "", certificate: Path | None = None) -> None:
        self.port = free_port()
        self.refuse: dict[str, str] = {}
        self.answer = "250 Taken"
        self.hang_at: set[str] = set()
        self.reached: list[str] = []  # commands, as they came
        self.waiting = 0  # clients that get no answer for now, and have not gone
        self.taken: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self._options: dict = {"hostname": HOST, "port": self.port}
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            name = "ssl_context" if tls == "implicit" else "tls_context"
            self._options |= {name: context, "require_starttls": tls == "STARTTLS"}
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, **self._options)
        self._controller.start()
        self.reached.clear()  # the controller has tried it

    def stop(self) -> None:
        """Refuse connections from now on, and break those that are open."""
        if self._controller is not None:
            self.hang_at.clear()
            self._controller.stop()
            self._controller = None

    @property
    def subjects(self) -> list[str]:
        return [message["Subject"] for message in self.taken]

    # --- What aiosmtpd asks -------------------------------------------------------

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options
    ) -> str:
        await self._come_to("RCPT")
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        await self._come_to("DATA")
        if self.answer.startswith("250"):
            self.envelopes.append(envelope)
            self.taken.append(
                message_from_bytes(envelope.content, policy=policy.default)
            )
        return self.answer

    async def handle_QUIT(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        await self._come_to("QUIT")
        return "221 Bye"

    async def _come_to(self, command: str) -> None:
        self.reached.append(command)
        self.waiting += 1
        try:
            while command in self.hang_at:
                await asyncio.sleep(0.01)
        finally:  # or aiosmtpd cancels it, when the client goes
            self.waiting -= 1


@contextmanager
def running(tls: str = "", certificate: Path | None = None) -> Iterator[SmtpServer]:
    server = SmtpServer(tls, certificate)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def make_certificate(folder: Path, *names: str) -> tuple[Path, Path]:
    """A self-made certificate for `names` or IP addresses: (what the server shows, with
    its key; what a client must trust)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail server")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName(map(_name, names)), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    shown, trusted = folder / "server.pem", folder / "trusted.pem"
    trusted.write_bytes(certificate.public_bytes(pem))
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    shown.write_bytes(private + trusted.read_bytes())
    return shown, trusted


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
