"""Safe redirects to the page that a form or a link names."""

from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme

MAX_LENGTH = 2000  # in the header; some proxies reject longer ones


def next_page(request: HttpRequest, default: str) -> str:
    """Return the page in the form field `next`, or `default` if it is not ours.

    It never raises, so call it before the form's change.
    """
    url = request.POST.get("next", "")
    return url if is_page(request, url) else default


def is_page(request: HttpRequest, url: str | None) -> bool:
    """Return whether `url` is a page of this shop that a redirect can open.

    It must be an absolute path, or a URL with this shop's host, and a view must answer
    GET there.
    """
    if not url or not url.isprintable() or "\\" in url or url != url.strip():
        return False
    if len(iri_to_uri(url)) > MAX_LENGTH or not _is_ours(request, url):
        return False
    path = urlsplit(url).path
    return path.startswith("/") and _opens(unquote(path))


def _is_ours(request: HttpRequest, url: str) -> bool:
    hosts = {request.get_host(), urlsplit(settings.DOMAIN_NAME).netloc}
    return url_has_allowed_host_and_scheme(
        url, hosts, require_https=request.is_secure()
    )


def _opens(path: str) -> bool:
    """Return whether a view answers GET there, with or without a final slash."""
    return any(map(_has_page, (path, f"{path}/")))


def _has_page(path: str) -> bool:
    try:
        view = resolve(path).func
    except Resolver404:
        return False
    view_class = getattr(view, "view_class", None)
    return view_class is None or (
        hasattr(view_class, "get") and "get" in view_class.http_method_names
    )
