"""Uploaded pictures on one's own machine; elsewhere the web server serves them."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_cache_control
from django.views.generic import View
from django.views.static import serve


class MediaView(View):
    """A file under MEDIA_ROOT, with Last-Modified and 304."""

    def get(self, request: HttpRequest, path: str) -> HttpResponse:
        found = serve(request, path, document_root=settings.MEDIA_ROOT)
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
