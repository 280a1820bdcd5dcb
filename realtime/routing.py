"""Routes sockets. One address is served and all others are refused. A process that
serves only pages refuses all."""

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from realtime import roles
from realtime.consumers.application import application, refuse_address, refuse_role

ADDRESS = f"{settings.BASE_PATH}ws/".removeprefix("/")

if roles.serves_sockets():
    sockets = URLRouter([path(ADDRESS, application), re_path(r"", refuse_address)])
else:
    sockets = refuse_role
