"""A visitor without a browser: posts the shop's forms over HTTP, keeps its cookies."""

import json
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from django.conf import settings
from django.test import Client as Session

from tests.support.client import Client
from tests.support.page import Page
from tests.support.servers import Shop
from users.models import User

CSRF = "0123456789abcdefghijklmnopqrstuv"


class Shopper:
    """One session at one shop; `socket()` opens a socket with its cookies."""

    def __init__(self, shop: Shop, user: User | None = None) -> None:
        self.shop = shop
        self.cookies = {settings.CSRF_COOKIE_NAME: CSRF}
        self.location = ""  # where the last answer led
        if user is not None:
            self.sign_in(user)

    def sign_in(self, user: User) -> None:
        """Give the session to `user`, as the sign-in form would."""
        session = Session()
        session.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        self.cookies[name] = session.cookies[name].value

    def sign_out(self) -> None:
        """Sign out by the form."""
        status, body = self._ask("POST", "/users/logout/", {})
        assert status in (200, 302), (status, body[:2000])

    def send(self, path: str, **fields: str) -> int:
        """Post a form; the status of the answer, which `location` goes with."""
        return self._ask("POST", path, fields)[0]

    @property
    def session_key(self) -> str:
        return self.cookies[settings.SESSION_COOKIE_NAME]

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def socket(self, page: Page | None = None, **options) -> Client:
        return Client(self.shop, page, cookie=self.cookie, **options)

    def get(self, path: str) -> str:
        """A page's HTML."""
        status, body = self._ask("GET", path)
        assert status == 200, (status, body[:2000])
        return body

    def post(self, path: str, **fields: object) -> dict:
        """Post a form as the script does; gives the JSON answer."""
        status, body = self._ask("POST", path, fields | {"parts": "basket:lines"})
        assert status in (200, 422), (status, body[:2000])
        return json.loads(body)

    def add(self, variant, quantity: int = 1) -> dict:
        """Put a product in the basket."""
        return self.post(f"/basket/add/{variant.pk}/", quantity=quantity)

    def _ask(self, method: str, path: str, fields: dict | None = None):
        link = HTTPConnection("127.0.0.1", self.shop.port, timeout=20)
        headers = {
            "Host": f"localhost:{self.shop.port}",
            "Cookie": self.cookie,
            "X-CSRFToken": CSRF,
        }
        if fields is not None:
            headers |= {
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            }
        try:
            link.request(
                method, self.shop.path + path, urlencode(fields or {}), headers
            )
            answer = link.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                for name, morsel in SimpleCookie(cookie).items():
                    self.cookies[name] = morsel.value
            self.location = answer.headers.get("Location", "")
            return answer.status, answer.read().decode()
        finally:
            link.close()
