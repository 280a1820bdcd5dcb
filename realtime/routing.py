"""Where sockets are answered: one address, everything else is refused."""

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from realtime.consumers import ShopConsumer, refuse

ADDRESS = f"{settings.BASE_PATH}ws/".removeprefix("/")

sockets = URLRouter([path(ADDRESS, ShopConsumer.as_asgi()), re_path(r"", refuse)])
