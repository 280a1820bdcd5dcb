"""Routes sockets. One address is served and all others are refused. A process that
serves only pages refuses all."""

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from realtime import roles
from realtime.consumers.application import application, refuse_address, refuse_role

ADDRESS = f"{settings.BASE_PATH}ws/".removeprefix("/")

if roles.serves_sockets():
    # Channels routes to ASGI applications; Django's stubs only know views.
    sockets = URLRouter(
        [
            path(ADDRESS, application),  # type: ignore[arg-type]
            re_path(r"", refuse_address),  # type: ignore[arg-type]
        ]
    )
else:
    sockets = refuse_role
