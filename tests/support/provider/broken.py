"""A provider that answers what a test wants it to, over real HTTP."""

import json
import time
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.http_server import LocalServer

CLIENT_ID = "the-shop"
HANG = object()  # in place of an answer


@cache
def make_key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class BrokenProvider(LocalServer):
    """By itself it is in order: `answers` maps a path to (status, body) or HANG, a body
    being bytes or what becomes JSON; `claims` are what its tokens say."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.asked: list[tuple[str, bytes]] = []
        self.claims = {"sub": "7", "email": "ada@example.com", "email_verified": True}
        self.claims |= {"given_name": "Ada", "family_name": "Lovelace"}
        self.answers: dict[str, Any] = {
            "/.well-known/openid-configuration": (200, self.configuration()),
            "/keys": (200, {"keys": [self.public_key()]}),
        }

    def configuration(self, **changes: object) -> dict:
        paths = {"authorization": "go", "token": "token", "userinfo": "me"}
        endpoints = {f"{k}_endpoint": f"{self.url}/{v}" for k, v in paths.items()}
        return (
            {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | endpoints | changes
        )

    def public_key(self) -> dict:
        key = jwt.algorithms.RSAAlgorithm.to_jwk(make_key("its own").public_key())
        return json.loads(key) | {"kid": "1", "alg": "RS256"}

    def id_token(self, key: str = "its own", **changes: object) -> str:
        now = int(time.time())
        base = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60}
        claims = base | self.claims | changes
        return jwt.encode(claims, make_key(key), "RS256", headers={"kid": "1"})

    def answer(self, path: str) -> Any:
        if path in self.answers:
            return self.answers[path]
        if path == "/token":
            return 200, {"access_token": "a", "id_token": self.id_token()}
        return 200, self.claims


class Handler(BaseHTTPRequestHandler):
    server: BrokenProvider

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        self.server.asked.append((self.path, self.rfile.read(length)))
        answer = self.server.answer(self.path)
        if answer is HANG:
            self.server.over.wait(10)
            return
        status, body = answer
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing."""
