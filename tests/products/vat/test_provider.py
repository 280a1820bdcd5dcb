"""Numbers that VIES checks, as a local server plays it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from products.models import VatNumber
from products.vat import services as vat
from products.vat.provider import Verdict, Vies
from tests.products.vat.business import COMPANY, DANISH, give_number
from tests.support.factories import make_shopper


class ViesServer(ThreadingHTTPServer):
    """Sends `answer` with `status`, and stores what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.answer, self.status = b'{"valid": true}', 200
        self.requests: list[tuple[str, dict]] = []


class Handler(BaseHTTPRequestHandler):
    server: ViesServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[ViesServer]:
    with ViesServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def vies(server, settings) -> ViesServer:
    """The shop checks numbers there."""
    settings.VIES_CHECK, settings.VIES_ADDRESS = True, server.address
    return server


@pytest.mark.parametrize(
    "answer, status, verdict",
    [
        (b'{"valid": true}', 200, Verdict.ACCEPTED),
        (b'{"valid": true, "userError": "VALID"}', 200, Verdict.ACCEPTED),
        (b'{"valid": false}', 200, Verdict.REFUSED),
        (b'{"valid": false, "userError": "INVALID"}', 200, Verdict.REFUSED),
        (
            b'{"valid": false, "userError": "MS_UNAVAILABLE"}',
            *(200, Verdict.UNREACHABLE),
        ),
        (b'{"actionSucceed": false, "errorWrappers": []}', 200, Verdict.UNREACHABLE),
        (b'{"valid": "yes"}', 200, Verdict.UNREACHABLE),
        (b"[]", 200, Verdict.UNREACHABLE),
        (b"Sorry", 200, Verdict.UNREACHABLE),
        (b'{"valid": true}', 503, Verdict.UNREACHABLE),
        (b'{"valid": false}', 302, Verdict.UNREACHABLE),
    ],
)
def test_answer_of_vies_is_read(server, answer, status, verdict):
    server.answer, server.status = answer, status

    assert Vies(server.address).check(DANISH) is verdict
    assert server.requests == [
        ("/check-vat-number", {"countryCode": "DK", "vatNumber": "13585628"})
    ]


def test_server_that_is_down_is_unreachable():
    with ViesServer() as server:
        address = server.address

    assert Vies(address).check(DANISH) is Verdict.UNREACHABLE


@pytest.mark.django_db
@pytest.mark.parametrize(
    "answer, status",
    [(b'{"valid": true}', "accepted"), (b'{"valid": false}', "refused")],
)
def test_number_is_decided_by_vies(vies, answer, status):
    vies.answer = answer
    number = give_number(make_shopper(), accepted=False)

    assert vat.check_vat_numbers() == 1

    number.refresh_from_db()
    assert (number.status, number.decided_by) == (status, None)
    assert vat.check_vat_numbers() == 0


@pytest.mark.django_db
def test_number_stays_given_while_vies_is_unreachable(vies):
    shopper = make_shopper()
    number = give_number(shopper, accepted=False)
    vies.status = 500

    assert vat.check_vat_numbers() == 0

    number.refresh_from_db()
    assert (number.status, number.failures) == ("given", 1)
    assert vat.accepted(shopper.pk, DANISH) == ""

    vies.status = 200
    VatNumber.objects.update(retry_at=None)
    vat.check_vat_numbers()

    number.refresh_from_db()
    assert (number.status, number.problem) == ("accepted", "")


@pytest.mark.django_db
def test_vies_never_overrules_staff(vies):
    shopper = make_shopper()
    stale = give_number(shopper, accepted=False)
    vat.refuse(stale, by=shopper)

    vat.accept(stale)

    stale.refresh_from_db()
    assert (stale.status, stale.decided_by) == ("refused", shopper)


@pytest.mark.django_db
def test_verdict_about_another_company_does_not_count(vies):
    shopper = make_shopper()
    stale = give_number(shopper, accepted=False)
    vat.give(user=shopper, number=DANISH, company="Another ApS")

    assert stale.company == COMPANY
    vat.accept(stale)

    assert VatNumber.objects.get().status == "given"


@pytest.mark.django_db
def test_shop_asks_nobody_by_default(server, settings):
    settings.VIES_ADDRESS = server.address
    give_number(make_shopper(), accepted=False)

    assert vat.check_vat_numbers() == 0
    assert server.requests == []
