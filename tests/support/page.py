"""What a page shows of its topics: the twin of `static/js/live.js` in Python."""

from products.live.registry import registry
from realtime import protocol


class Page:
    """Topics and versions as the script keeps them, and the facts it would show."""

    def __init__(self, topics: dict[str, int] | None = None) -> None:
        self.shown: dict[str, int] = dict(topics or {})  # what the HTML says
        self.facts: dict[str, dict] = {}
        self.html: dict[str, str | None] = {}
        self.known: dict[str, int] = {}  # what a digest is made of
        self.requests = 0
        self.timeline: str | None = None  # as the HTML says, or None: not told
        self.pace = 0  # of a page that nobody sees, in milliseconds

    def subscription(self, *, is_new_socket: bool, html: str | None = "en") -> dict:
        """The frame that `subscribe()` sends. A new socket may be somebody else's, so
        it asks for personal topics whatever their versions."""
        topics: dict[str, int | None] = {}
        known = {}
        for name, version in self.shown.items():
            is_news = is_new_socket and registry.is_personal(name)
            topics[name] = None if is_news or version < 0 else version
            known[name] = -1 if is_news else max(version, self.known.get(name, -1))
        self.known = known
        self.requests += 1
        frame = {"t": "sub", "id": self.requests, "topics": topics}
        if self.timeline is not None:
            frame["timeline"] = self.timeline
        if self.pace:
            frame["pace"] = self.pace
        return frame | ({"html": html} if html else {})

    def take(self, item: list) -> bool:
        """Show an item if it is newer than what is shown; whether it was."""
        name, version, facts, *html = item
        if not self.is_newer(name, version):
            return False
        if name in self.known:
            self.known[name] = version
        self.shown[name], self.facts[name] = version, facts
        self.html[name] = html[0] if html else None
        return True

    def is_newer(self, name: str, version: int) -> bool:
        return version > self.known.get(name, -1)

    def hear(self, frame: dict) -> None:
        """Do with a frame what the page does."""
        if frame.get("timeline") not in (None, self.timeline):
            self.timeline = frame["timeline"]
            self.known = dict.fromkeys(self.known, -1)
        for item in frame.get("items", ()):
            self.take(item)
        for name in frame.get("topics", ()):
            self.known.pop(name, None)

    def digest(self) -> str:
        prints = (protocol.fingerprint(*entry) for entry in self.known.items())
        return f"{sum(prints) & protocol.MASK:08x}"
