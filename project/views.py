"""Page mixins, and the error pages' handlers use Django's own with our templates."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from django.conf import settings
from django.views.generic.base import ContextMixin, View

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class TitleMixin(ContextMixin, View):
    """Give a page its title, its description and its one canonical address."""

    title: "StrOrPromise" = ""
    description: "StrOrPromise" = ""

    def get_title(self) -> str:
        """The page's own title, without the shop's name."""
        return str(self.title)

    def get_description(self) -> str:
        """One or two sentences for search engines; may be empty."""
        return str(self.description)

    def get_canonical_path(self) -> str:
        """The path (and query) under which search engines should know the page."""
        return self.request.path

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = {
            "title": self.get_title(),
            "description": self.get_description(),
            "canonical": absolute(self.get_canonical_path()),
        }
        return super().get_context_data(**context | kwargs)


def absolute(path: str) -> str:
    """`path` as a full address of this shop (`DOMAIN_NAME`)."""
    return urljoin(f"{settings.DOMAIN_NAME}/", path)
