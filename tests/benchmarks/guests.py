"""A guest who adds one unit to a basket and orders it, over pages alone.

It imports nothing of the shop, so that it can order at an old checkout of it too.
"""

import html
import re
from collections.abc import Callable
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode

CSRF = "0123456789abcdefghijklmnopqrstuv"
FORM = "application/x-www-form-urlencoded"
ADDRESS = {
    "email": "ann@example.com",
    "full_name": "Ann Lee",
    "line1": "High Street 1",
    "postcode": "12345",
    "city": "Port",
    "country": "DE",
}
HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
STEPS = ("add", "start", "enter", "review", "place")

# (method, path, form, headers) → (status, cookies, page)
Ask = Callable[[str, str, str, dict[str, str]], tuple[int, list[str], str]]


class Far:
    """Asks a server, on one connection."""

    def __init__(self, port: int) -> None:
        self.link = HTTPConnection("127.0.0.1", port, timeout=30)

    def __call__(
        self, method: str, path: str, form: str, headers: dict[str, str]
    ) -> tuple[int, list[str], str]:
        self.link.request(method, path, form, headers | {"Content-Type": FORM})
        answer = self.link.getresponse()
        cookies = answer.headers.get_all("Set-Cookie", [])
        return answer.status, cookies, answer.read().decode()


class Guest:
    """Somebody new, who wants one unit of a product."""

    def __init__(self, ask: Ask, product: int, names: dict[str, str]) -> None:
        self.ask, self.product = ask, product
        self.cookies = {names["csrf"]: CSRF}
        self.form: dict[str, str] = {}

    def order(self) -> None:
        for step in STEPS:
            self.take(step)

    def take(self, step: str) -> None:
        """Take a step. Raises `AssertionError` if the shop does not go along."""
        getattr(self, step)()

    def add(self) -> None:
        self._post(f"/basket/add/{self.product}/", {"quantity": "1"}, 302)

    def start(self) -> None:
        self._get("/checkout/")

    def enter(self) -> None:
        self._post("/checkout/", ADDRESS, 303)

    def review(self) -> None:
        fields = HIDDEN.findall(self._get("/checkout/review/"))
        self.form = {name: html.unescape(value) for name, value in fields}

    def place(self) -> None:
        self._post("/checkout/review/", self.form | {"method": "delivery"}, 303)

    def _get(self, path: str) -> str:
        return self._ask("GET", path, {}, 200)

    def _post(self, path: str, fields: dict[str, str], status: int) -> None:
        self._ask("POST", path, fields, status)

    def _ask(self, method: str, path: str, fields: dict[str, str], due: int) -> str:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Host": "localhost", "Cookie": cookie, "X-CSRFToken": CSRF}
        status, cookies, page = self.ask(method, path, urlencode(fields), headers)
        assert status == due, (path, status, page[:2000])
        for each in cookies:
            for name, morsel in SimpleCookie(each).items():
                self.cookies[name] = morsel.value
        return page
