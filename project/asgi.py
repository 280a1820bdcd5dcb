"""The ASGI application: pages over HTTP, live numbers over one WebSocket address."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.core.asgi import get_asgi_application  # noqa: E402

pages = get_asgi_application()  # loads the apps, so it comes before what follows

from channels.routing import ProtocolTypeRouter  # noqa: E402

from realtime.routing import sockets  # noqa: E402

application = ProtocolTypeRouter({"http": pages, "websocket": sockets})
