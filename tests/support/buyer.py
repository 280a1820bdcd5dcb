"""A guest who goes through the checkout's pages over HTTP."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from django.conf import settings

from products.live import viewers
from products.models import Variant
from project.sessions import SessionStore
from tests.support.factories import make_basket, make_owner
from tests.support.servers import Shop
from tests.support.shopper import CSRF, Shopper

CONTACT, REVIEW = "/checkout/", "/checkout/review/"
PLACE = {
    "email": "ann@example.com",
    "full_name": "Ann Lee",
    "line1": "High Street 1",
    "postcode": "12345",
    "city": "Port",
    "country": "DE",
}
HIDDEN = re.compile(r'<input type="hidden" name="(shown)" value="([^"]*)"')


class Buyer(Shopper):
    """Somebody with a full basket. Each step gives the answer's status."""

    def __init__(self, shop: Shop, lines: dict[Variant, int]) -> None:
        super().__init__(shop)
        session, owner = SessionStore(), make_owner()
        session[viewers.BASKET_TOKEN] = owner.token
        session.create()
        make_basket(owner, lines)
        self.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
        self.form: dict[str, str] = {}
        self.body = ""

    def start(self) -> int:
        """Open the checkout: the units are held from now on."""
        return self._visit("GET", CONTACT)

    def enter(self) -> int:
        return self._visit("POST", CONTACT, PLACE)

    def review(self) -> int:
        """Look it all over; keeps what the form of the page says."""
        status = self._visit("GET", REVIEW)
        self.form = dict(HIDDEN.findall(self.body)) | {"method": "delivery"}
        return status

    def place(self) -> int:
        return self._visit("POST", REVIEW, self.form)

    @contextmanager
    def placing_unheard(self) -> Iterator[None]:
        """Send the form, and hang up afterwards without having read the answer."""
        with socket.create_connection(("127.0.0.1", self.shop.port), 10) as link:
            body = urlencode(self.form)
            link.sendall(
                f"POST {REVIEW} HTTP/1.1\r\nHost: localhost:{self.shop.port}\r\n"
                f"Cookie: {self.cookie}\r\nX-CSRFToken: {CSRF}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            yield

    def check_out_within(self, seconds: float) -> None:
        """All of it, where each page takes less than so long."""
        for step, status in [
            (self.start, 200),
            (self.enter, 303),
            (self.review, 200),
            (self.place, 303),
        ]:
            begun = time.monotonic()
            assert step() == status
            assert time.monotonic() - begun < seconds

    def check_out(self) -> list[int]:
        """All of it, as far as one gets; the statuses."""
        statuses = []
        for step in (self.start, self.enter, self.review, self.place):
            statuses.append(step())
            if statuses[-1] not in (200, 303):
                break
        return statuses

    def _visit(self, method: str, path: str, fields: dict | None = None) -> int:
        status, self.body = self._ask(method, path, fields)
        return status
