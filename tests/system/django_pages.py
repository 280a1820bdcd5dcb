"""The shop's pages as Django serves them by itself, for comparison."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from django.core.asgi import get_asgi_application  # noqa: E402

application = get_asgi_application()
