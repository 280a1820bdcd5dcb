"""Where sockets are answered: one address, everything else is refused."""

from channels.routing import URLRouter
from django.urls import path, re_path

from realtime.consumers import ShopConsumer, refuse

sockets = URLRouter([path("ws/", ShopConsumer.as_asgi()), re_path(r"", refuse)])
