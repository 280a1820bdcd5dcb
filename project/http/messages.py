"""Django's messages in a cookie that is named like the shop's other cookies."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.http import HttpResponse


class NamedCookieStorage(CookieStorage):
    """Sets name and path of the cookie. Django's has a fixed name and the path "/"."""

    cookie_name = settings.MESSAGES_COOKIE_NAME

    def _update_cookie(self, encoded_data: str, response: HttpResponse) -> None:
        # Django's stubs leave out private methods.
        super()._update_cookie(encoded_data, response)  # type: ignore[misc]
        if self.cookie_name in response.cookies:
            response.cookies[self.cookie_name]["path"] = settings.SESSION_COOKIE_PATH


class MessageStorage(FallbackStorage):
    """Keeps messages that are too long for the cookie in the session."""

    storage_classes = (NamedCookieStorage, SessionStorage)
