"""The shop's sockets and forms as a Locust user.

    pip install locust==2.47.0
    locust -f tests/load/locustfile.py --headless -u 50 -r 10 -t 30s \
        --host http://localhost:8000

A push has no request of its own; timing a call that returns at once would give 0 ms. So
each `Waverer` changes the stock of one product and notes when
its request left; every socket that then hears of the new version reports the time from
there ("WS push"), once for each version. If frames tell the commit's time (`ts`), that
is taken, and the clocks of both machines must agree.
"""

import json
import os
import random
import re
import time

import gevent
from locust import HttpUser, between, constant_pacing, events, task
from websocket import WebSocketException, create_connection

CARD = re.compile(r'data-topic="stock:(\d+)" data-version="(\d+)"')
TOPICS = 20
ENOUGH = int(os.environ.get("PUSHES", 0))  # end after so many; 0: go on

began: dict[str, float] = {}  # topic → when the request left that changes it
newest: dict[str, int] = {}
known: dict[tuple[str, int], float] = {}  # (topic, version) → when it came about
free: list[str] = []  # variants that nobody wavers about
heard: list[int] = []


@events.test_start.add_listener
def forget(**_):
    for entries in (began, newest, known, free, heard):
        entries.clear()


def origin(topic: str, version: int, frame: dict) -> float | None:
    """When this version came about; None if nobody here made it."""
    if "ts" in frame:
        return frame["ts"] / 1000
    if version > newest.get(topic, -1):
        newest[topic] = version
        if topic in began:
            known[topic, version] = began[topic]
    return known.get((topic, version))


class Visitor(HttpUser):
    """A session at the shop: cookies as it gives them, Origin as browsers send it."""

    abstract = True

    @property
    def origin(self) -> str:
        """The host without the path of a shop that has one."""
        return "/".join(self.host.split("/")[:3])

    def on_start(self) -> None:
        page = self.client.get("/products/").text
        self.shown = dict(CARD.findall(page)[:TOPICS])
        if not free:
            free.extend(self.shown)

    def send(self, path: str, **fields):
        # Over https and under a path its name has more in front.
        tokens = [c.value for c in self.client.cookies if c.name.endswith("csrftoken")]
        headers = {
            "X-CSRFToken": tokens[0] if tokens else "",
            "Origin": self.origin,
            "Referer": self.host + path,
            "Accept": "application/json",
        }
        return self.client.post(path, data=fields, headers=headers, name=path[:12])


class Watcher(Visitor):
    """One open page."""

    weight = 9
    wait_time = between(1, 2)

    def on_start(self) -> None:
        super().on_start()
        started = time.perf_counter()
        try:
            self.socket = create_connection(
                self.host.replace("http", "ws", 1) + "/ws/",
                origin=self.origin,
                cookie="; ".join(f"{c.name}={c.value}" for c in self.client.cookies),
                subprotocols=["shop.v1"],
                timeout=60,
            )
            topics = {f"stock:{key}": None for key in self.shown}
            self.socket.send(json.dumps({"t": "sub", "id": 1, "topics": topics}))
            size = len(self.socket.recv())
        except (OSError, WebSocketException) as error:
            self.tell("open", started, 0, error)
            self.socket = None
            return
        self.tell("open", started, size, None)
        self.listening = gevent.spawn(self.listen)

    def listen(self) -> None:
        while True:
            try:
                text = self.socket.recv()
            except (OSError, WebSocketException):
                return
            if text:
                self.hear(text)

    def hear(self, text: str) -> None:
        now = time.time()
        frame = json.loads(text)
        if frame["t"] != "upd":
            return
        starts = [origin(item[0], item[1], frame) for item in frame["items"]]
        if any(starts):
            self.report("push", (now - min(filter(None, starts))) * 1000, len(text))
            self.count()

    def count(self) -> None:
        heard.append(1)
        if len(heard) == ENOUGH:
            # Not from this greenlet, which is one of those that it ends.
            gevent.spawn(self.environment.runner.quit)

    def tell(self, name: str, started: float, size: int, error) -> None:
        self.report(name, (time.perf_counter() - started) * 1000, size, error)

    def report(self, name: str, ms: float, size: int, error=None) -> None:
        self.environment.events.request.fire(
            request_type="WS",
            name=name,
            response_time=ms,
            response_length=size,
            exception=error,
            context={},
        )

    @task
    def read(self) -> None:
        """Pages are looked at; what moves on them comes over the socket."""

    def on_stop(self) -> None:
        if self.socket is not None:
            self.listening.kill()
            self.socket.close()


class Waverer(Visitor):
    """Reserves one product and gives it back, so that its number moves."""

    fixed_count = 2
    wait_time = constant_pacing(0.5)

    def on_start(self) -> None:
        super().on_start()
        self.variant = free.pop(random.randrange(len(free))) if free else None
        self.quantity, self.holds = 1, False
        if self.variant:
            self.send(f"/basket/add/{self.variant}/", quantity=1)

    @task
    def waver(self) -> None:
        if not self.variant:
            return
        began[f"stock:{self.variant}"] = time.time()
        if self.holds:
            self.quantity = 3 - self.quantity
            field = {f"quantity-{self.variant}": self.quantity}
            self.send("/basket/update/", **field)
        else:
            self.client.get("/checkout/")
        self.holds = not self.holds
