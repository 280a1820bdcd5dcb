"""The part of Stripe that the shop uses, over real HTTP, with its way of signing."""

import hashlib
import hmac
import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler
from itertools import count
from urllib.parse import parse_qsl, urlsplit

from tests.support.http_server import LocalServer

SECRET = "whsec_of_the_tests"


def sign(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    """The header Stripe-Signature."""
    moment = int(time.time() if at is None else at)
    text = f"{moment}.".encode() + body
    return (
        f"t={moment},v1={hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()}"
    )


class StripeServer(LocalServer):
    """`mood`: "well", "slow", "drops" (does it, and gives no answer) or one of
    `REFUSALS`."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.mood = "well"
        self.lock, self.numbers = threading.Lock(), count(1)
        self.sessions: dict[str, dict] = {}
        self.refunds: list[dict] = []
        self.events: list[dict] = []  # all that was told, or would have been
        self.disputed: set[str] = set()  # payments that cannot be refunded
        self.known: dict[str, tuple[dict, dict]] = {}  # by Idempotency-Key
        self.asked: list[tuple[str, str, dict]] = []
        self.hook = ""  # where it tells what people do on its pages

    def post(self, path: str, key: str, params: dict) -> tuple[int, dict]:
        with self.lock:
            self.asked.append((path, key, params))
            if key in self.known:
                before, answer = self.known[key]
                same = before == params
                return (200, answer) if same else (400, error("idempotency_error"))
            if path == "/v1/checkout/sessions":
                if refusal := refusal_of(params):
                    return 400, refusal
                answer = self.open(params)
            elif path.endswith("/expire"):
                answer = self.sessions.get(path.split("/")[-2])
                if answer is None or answer["status"] != "open":
                    return 400, error("invalid_request_error")
                answer["status"] = "expired"
            else:
                refusal, answer = self.give_back(params)
                if refusal:
                    return 400, refusal
            self.known[key] = params, answer
            return 200, answer

    def give_back(self, params: dict) -> tuple[dict | None, dict]:
        """As its API and its dashboard do it; why not, and the refund."""
        intent = params["payment_intent"]
        if intent in self.disputed:
            return error(INVALID, "charge_disputed"), {}
        before = sum(r["amount"] for r in self.refunds_of(intent))
        paid = self.paid_for(intent)
        amount = int(params.get("amount", paid - before))
        if before >= paid:
            return error(INVALID, "charge_already_refunded"), {}
        if amount > paid - before:
            text = f"Refund amount ({amount}) is greater than unrefunded amount"
            return error(INVALID, message=text), {}
        refund = {
            "id": f"re_{next(self.numbers)}",
            "object": "refund",
            "amount": amount,
            "currency": self.session_of(intent)["currency"],
            "status": "succeeded",
            "created": int(time.time()),
            "payment_intent": intent,
            "metadata": {"refund": params.get("metadata[refund]", "")},
        }
        self.refunds.append(refund)
        return None, refund

    def refunds_of(self, intent: str) -> list[dict]:
        """Those that count, the newest first as Stripe lists them."""
        of_it = [r for r in self.refunds if r["payment_intent"] == intent]
        return [r for r in of_it[::-1] if r["status"] not in ("failed", "canceled")]

    def session_of(self, intent: str) -> dict:
        return self.sessions[intent.removeprefix("pi_")]

    def paid_for(self, intent: str) -> int:
        session = self.session_of(intent)
        return session.get("paid_total", session["amount_total"])

    def get(self, path: str, query: dict) -> tuple[int, dict]:
        """A session as it stands, the refunds of a payment, or what was told."""
        with self.lock:
            if path == "/v1/events":
                return 200, self.listed_events(query)
            if path == "/v1/refunds":
                of_it = query["payment_intent"]
                matches = [
                    r for r in self.refunds[::-1] if r["payment_intent"] == of_it
                ]
                listed = {"object": "list", "data": matches, "has_more": False}
                return 200, listed | {"url": path}
            session = self.sessions.get(path.split("/")[-1])
            if session is None:
                return 404, error("invalid_request_error", "resource_missing", "id")
            return 200, session

    def listed_events(self, query: dict) -> dict:
        """The newest first, a page at a time, as Stripe does."""
        types = {value for name, value in query.items() if name.startswith("types[")}
        events = [e for e in self.events[::-1] if e["type"] in types]
        if "starting_after" in query:
            names = [event["id"] for event in events]
            events = events[names.index(query["starting_after"]) + 1 :]
        size = int(query["limit"])
        page = {"object": "list", "url": "/v1/events", "data": events[:size]}
        return page | {"has_more": len(events) > size}

    def open(self, params: dict) -> dict:
        name = f"cs_test_{next(self.numbers)}"
        price = "line_items[0][price_data]"
        session = {
            "id": name,
            "object": "checkout.session",
            "status": "open",
            "url": f"{self.url}/pay/{name}",
            "success_url": params["success_url"],
            "cancel_url": params["cancel_url"],
            "client_reference_id": params["client_reference_id"],
            "customer_email": params.get("customer_email"),
            "amount_total": int(params[f"{price}[unit_amount]"]),
            "currency": params[f"{price}[currency]"],
            "payment_status": "unpaid",
            "payment_intent": None,
        }
        self.sessions[name] = session
        return session

    def event(self, session: dict, kind: str = "completed", **changes) -> bytes:
        """The body of a webhook about a session; paid if it is "completed"."""
        paid = {"payment_status": "paid", "payment_intent": intent_of(session)}
        data = session | (paid if kind in PAID else {}) | changes
        if kind in PAID:
            session["paid_total"] = data["amount_total"]
            session["currency"] = data["currency"]
        return self.told(f"checkout.session.{kind}", data)

    def told(self, kind: str, data: dict, *, at: int = 0, **fields) -> bytes:
        """The body of a webhook; of a moment `at` seconds from now."""
        event = {
            "id": f"evt_{next(self.numbers)}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(time.time()) + at,
            "livemode": False,
            "type": kind,
            "data": {"object": data},
        }
        self.events.append(event | fields)
        return json.dumps(event | fields).encode()

    def refund_at_dashboard(self, session: dict, amount: int, **changes) -> dict:
        """Staff of the shop give something back there."""
        params = {"payment_intent": intent_of(session), "amount": str(amount)}
        refusal, refund = self.give_back(params)
        assert not refusal, refusal
        refund |= changes
        return refund

    def charge(self, session: dict) -> dict:
        """What charge.refunded is about; refunds are not in it since 2022."""
        intent = intent_of(session)
        given = sum(refund["amount"] for refund in self.refunds_of(intent))
        return {
            "id": f"ch_{session['id']}",
            "object": "charge",
            "amount": self.paid_for(intent),
            "amount_refunded": given,
            "currency": session["currency"],
            "payment_intent": intent,
            "refunded": given == self.paid_for(intent),
            "billing_details": {"email": "ann@example.com", "name": "Ann Lee"},
            "receipt_email": "ann@example.com",
        }

    def dispute(self, session: dict, status: str = "needs_response", **changes) -> dict:
        """A bank's: what charge.dispute.… is about."""
        intent = intent_of(session)
        dispute = {
            "id": f"du_{session['id']}",
            "object": "dispute",
            "amount": self.paid_for(intent),
            "currency": session["currency"],
            "status": status,
            "reason": "fraudulent",
            "payment_intent": intent,
            "charge": f"ch_{session['id']}",
            "created": int(time.time()),
            "balance_transactions": [],
            "evidence": {"customer_name": "Ann Lee"},
        }
        return dispute | changes

    def paid(self, session: dict) -> None:
        """Somebody has given their card: the shop is told."""
        session["status"] = "complete"
        self.tell(self.event(session))

    def tell(self, body: bytes) -> None:
        """Send the shop an event."""
        headers = {"Stripe-Signature": sign(body), "Content-Type": "application/json"}
        request = urllib.request.Request(self.hook, body, headers)
        urllib.request.urlopen(request, timeout=20).close()


def intent_of(session: dict) -> str:
    """The payment that its page makes."""
    return "pi_" + session["id"]


PAID = {"completed", "async_payment_succeeded"}


PAGE = """<!doctype html><html lang="en"><title>Pay</title>
<form method="post"><button>Pay by card</button></form>
<a href="{cancel_url}">Back to the shop</a></html>"""


def error(kind: str, code: str = "", param: str = "", message: str = "No.") -> dict:
    body = {"type": kind, "code": code, "param": param, "message": message}
    return {"error": {name: value for name, value in body.items() if value}}


INVALID = "invalid_request_error"
# What Stripe answers instead of doing it.
REFUSALS = {
    "down": (503, error("api_error")),
    "broken": (500, error("api_error")),
    "busy": (429, error(INVALID, "rate_limit")),
    "in use": (409, error("idempotency_error", "idempotency_key_in_use")),
    "refuses": (400, error(INVALID, "parameter_invalid_empty", "line_items")),
    "declines": (402, error("card_error", "card_declined")),
    "knows no such key": (401, error(INVALID, message="Invalid API Key provided: sk_")),
    "forbids": (403, error(INVALID, message="This key may not do that.")),
}


def refusal_of(params: dict) -> dict | None:
    """Why Stripe makes no session of it."""
    amount = int(params["line_items[0][price_data][unit_amount]"])
    email = params.get("customer_email", "")
    if amount < 50:
        return error(INVALID, "amount_too_small", message="At least 50 cents.")
    if amount > 99_999_999:
        return error(INVALID, "amount_too_large", message="At most €999,999.99.")
    if not email.isascii():
        text = f"Invalid email address: {email}"
        return error(INVALID, "email_invalid", "customer_email", text)
    return None


class Handler(BaseHTTPRequestHandler):
    server: StripeServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path.startswith("/pay/"):
            return self.take_card()
        mood = self.server.mood
        if mood == "slow":
            self.server.over.wait(10)
            return
        if mood in REFUSALS:
            return self.answer(*REFUSALS[mood])
        key = self.headers["Idempotency-Key"]
        done = self.server.post(self.path, key, dict(parse_qsl(body)))
        if mood != "drops":
            self.answer(*done)

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            return self.send(200, "image/svg+xml", b"")
        if self.path.startswith("/v1/"):
            if self.server.mood in REFUSALS:
                return self.answer(*REFUSALS[self.server.mood])
            address = urlsplit(self.path)
            return self.answer(
                *self.server.get(address.path, dict(parse_qsl(address.query)))
            )
        session = self.session()
        if session is None or session["status"] != "open":
            return self.send(404, "text/html", b"<title>No such page</title>")
        self.send(200, "text/html", PAGE.format(**session).encode())

    def take_card(self) -> None:
        session = self.session()
        self.server.paid(session)
        self.send_response(303)
        self.send_header("Location", session["success_url"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def session(self) -> dict | None:
        return self.server.sessions.get(self.path.rpartition("/")[2])

    def answer(self, status: int, content: dict) -> None:
        self.send(status, "application/json", json.dumps(content).encode())

    def send(self, status: int, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Nothing."""
