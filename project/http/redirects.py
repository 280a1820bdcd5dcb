"""Where a form or a link asks to go next."""

from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme

MAX_LENGTH = 2000  # as sent: a longer header is more than some proxies take


def next_page(request: HttpRequest, default: str) -> str:
    """The page that the form field `next` asks for, else `default`.

    Call it before the change that the form asks for: it never raises.
    """
    asked = request.POST.get("next", "")
    return asked if is_page(request, asked) else default


def is_page(request: HttpRequest, url: str | None) -> bool:
    """Whether `url` is a page of this shop that can be opened by a redirect.

    It is a path from the root, or an address with the host of this shop. A path that
    no view answers, or that only takes POST, is none.
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
    """Whether a view answers GET there, with or without the slash at the end."""
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
