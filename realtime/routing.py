"""Where sockets are answered: one address, everything else is refused. A process that
serves pages only refuses them all."""

from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from realtime import admission, roles
from realtime.consumers import ShopConsumer, refusing

ADDRESS = f"{settings.BASE_PATH}ws/".removeprefix("/")

if roles.serves_sockets():
    sockets = URLRouter(
        [
            path(ADDRESS, ShopConsumer.as_asgi()),
            re_path(r"", refusing(admission.FORBIDDEN)),
        ]
    )
else:
    sockets = refusing(admission.NO_SOCKETS)
