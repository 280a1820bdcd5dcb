"""Uploaded pictures and /favicon.ico, which are not among the hashed static files."""

import errno

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils.cache import patch_cache_control
from django.views.generic import RedirectView, View
from django.views.static import serve

# Errors for paths that cannot be a file's, such as a name that is too long.
NO_FILE = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EINVAL}


class FaviconView(RedirectView):
    """Redirects /favicon.ico, which browsers request if a page names no icon."""

    def get_redirect_url(self, *args, **kwargs) -> str:
        return static("img/favicon.svg")


class MediaView(View):
    """Serves a file of MEDIA_ROOT, with Last-Modified and 304.

    It is for development. In production, the web server serves the pictures.
    """

    def get(self, request: HttpRequest, path: str) -> HttpResponse:
        try:
            served = serve(request, path, document_root=str(settings.MEDIA_ROOT))
        except OSError as error:
            if error.errno not in NO_FILE:
                raise
            raise Http404("No such picture") from None
        except SuspiciousFileOperation:  # ".." in the path
            raise Http404("No such picture") from None
        if not isinstance(served, FileResponse):  # 304
            return served
        # Read at once: under ASGI, a streamed file would switch threads for each chunk.
        headers = {
            name: value for name, value in served.items() if name != "Content-Length"
        }
        body = b"".join(served)
        if served.file_to_stream is not None:
            # The response's close() would end the request.
            served.file_to_stream.close()
        response = HttpResponse(body, headers=headers)
        patch_cache_control(response, public=True, max_age=3600)
        return response
