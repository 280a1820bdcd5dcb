"""Files outside the hashed static ones: uploaded pictures, the icon's old address."""

import errno

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.templatetags.static import static
from django.utils.cache import patch_cache_control
from django.views.generic import RedirectView, View
from django.views.static import serve

# What an address can say that no file is called: a name that is too long, for example.
NO_FILE = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EINVAL}


class FaviconView(RedirectView):
    """Browsers ask /favicon.ico of pages that name no icon, as the admin's."""

    def get_redirect_url(self, *args, **kwargs) -> str:
        return static("img/favicon.svg")


class MediaView(View):
    """A file under MEDIA_ROOT, with Last-Modified and 304.

    For one's own machine; elsewhere the web server in front serves the pictures.
    """

    def get(self, request: HttpRequest, path: str) -> HttpResponse:
        try:
            found = serve(request, path, document_root=settings.MEDIA_ROOT)
        except OSError as error:
            if error.errno not in NO_FILE:
                raise
            raise Http404("No such picture") from None
        except SuspiciousFileOperation:  # "..", which no page of ours links to
            raise Http404("No such picture") from None
        if isinstance(found, HttpResponseNotModified):
            return found
        # Read whole: under ASGI a file that streams would hop threads for each chunk.
        headers = {
            name: value for name, value in found.items() if name != "Content-Length"
        }
        body = b"".join(found.streaming_content)
        found.file_to_stream.close()  # the response's close() would end the request
        response = HttpResponse(body, headers=headers)
        patch_cache_control(response, public=True, max_age=3600)
        return response
