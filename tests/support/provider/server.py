"""A real OpenID Connect provider in a process of its own."""

import contextlib
import sys
from pathlib import Path

import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from tests.support.servers import Process, free_port

CLIENT_ID, SECRET = "the-shop", "a-secret-between-the-two"
CALLBACK = "/users/oidc/sso/login/callback/"


class Provider(Process):
    """On 127.0.0.1: for a browser another site than the shop on localhost. Set `shop`,
    the shop's address, before it starts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "provider.log")
        self._home = folder
        self.port = free_port()
        self.shop = ""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "key.pem").write_bytes(pem)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> dict[str, str]:
        """What the shop's environment needs to offer it."""
        return {
            "OAUTH_OIDC_ID": CLIENT_ID,
            "OAUTH_OIDC_SECRET": SECRET,
            "OAUTH_OIDC_URL": f"{self.url}/",
            "OAUTH_OIDC_NAME": "Harbour ID",
        }

    def command(self) -> list[str]:
        client = [CLIENT_ID, SECRET, f"{self.shop}{CALLBACK}"]
        program = [sys.executable, "-m", "tests.support.provider.serve"]
        return [*program, str(self.port), *client]

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "DJANGO_SETTINGS_MODULE": "tests.support.provider.settings",
            "PROVIDER_HOME": str(self._home),
        }

    def is_ready(self) -> bool:
        with contextlib.suppress(requests.ConnectionError):
            address = f"{self.url}/.well-known/openid-configuration"
            return requests.get(address, timeout=2).ok
        return False
