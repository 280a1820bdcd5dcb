"""What the shop gives the live core: `settings.LIVE["REGISTRY"]` names `registry`."""

from collections.abc import Iterable, Mapping

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import transaction
from django.template import Engine
from django.template.loader_tags import IncludeNode
from django.urls import reverse
from django.utils import formats, translation

from products.live import viewers
from products.live.kinds import KINDS
from project.primary import primary
from realtime.protocol import Close
from realtime.registry import Registry, State, Viewer


class ShopRegistry(Registry):
    """The shop's topics and its people."""

    kinds = KINDS
    pulse_key = "pulse:"

    def timeline(self) -> str:
        connection = primary()
        connection.ensure_connection()
        return connection.read_timeline()

    def load_with_timeline(
        self, keys: Iterable[str], known: str | None
    ) -> tuple[str, dict[str, State]]:
        """Usually without a query for the timeline: a connection knows the one it was
        made on. If that is not the `known` one, either may be out of date, so the
        database is asked.

        Behind a pooler, the next transaction may be on another connection. So states
        and timeline are read in one transaction.
        """
        connection = primary()
        if connection.is_pooled:
            with transaction.atomic():
                return self.timeline(), self.load(keys)
        states = self.load(keys)
        if connection.timeline == known:
            return connection.timeline, states
        return self.timeline(), states

    def identify(self, session_keys: Iterable[str]) -> dict[str, Viewer]:
        return viewers.identify(session_keys)

    def doubtful(self, known: Mapping[str, Viewer]) -> set[str]:
        return viewers.doubtful(known)

    def compare(self, before: Viewer, now: Viewer | None) -> Close | None:
        return viewers.compare(before, now)

    def prepare(self) -> None:
        """Load templates, URLs, languages and the list of static files. The first push
        would load them while every socket waits. URLs alone take a fifth of a second,
        as they import every view."""
        for language, _ in settings.LANGUAGES:
            with translation.override(language):
                reverse("products:list")
                formats.get_format("DATETIME_FORMAT")
        for kind in self.kinds.values():
            _load_template(kind.template)
        getattr(staticfiles_storage, "base_url")  # it reads its manifest on first use


def _load_template(name: str) -> None:
    """Load a template and the templates that it includes."""
    template = Engine.get_default().get_template(name)
    for node in template.nodelist.get_nodes_by_type(IncludeNode):
        assert isinstance(node, IncludeNode)
        included = node.template.var
        if isinstance(included, str):  # else it depends on the facts
            _load_template(included)


registry = ShopRegistry()
