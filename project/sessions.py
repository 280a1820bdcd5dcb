"""Sessions in the database, with copies in the cache for a minute.

Django's `cached_db` keeps a copy for two weeks, and writes one it has just read even if
the session was ended or changed meanwhile; a copy that outlives its session would be a
sign-out that did not happen. Here a copy is kept only if the row is still as it was
read once the copy is there, and whatever nobody said is over in a minute.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import cached_db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.cache import BaseCache
from django.utils.crypto import get_random_string

KEPT_S = 60


class SessionStore(cached_db.SessionStore):
    cache_key_prefix = "session:"
    # Of Django's classes, and not in its stubs.
    _cache: BaseCache
    _session: dict[str, Any]
    _get_session_from_db: Callable[[], AbstractBaseSession | None]

    @classmethod
    def get_model_class(cls) -> type[AbstractBaseSession]:
        return apps.get_model("users", "Session")

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        row = super().create_model_instance(data)
        setattr(row, "user_id", data.get(SESSION_KEY))  # `users.Session` has it
        return row

    def load(self) -> dict[str, Any]:
        copy = self._cache.get(self.cache_key)
        if copy is not None:
            return copy
        row = self._get_session_from_db()
        if row is None:
            return {}
        self._copy(row)
        return self.decode(row.session_data)

    def _get_new_session_key(self) -> str:
        """Do not look first whether it is taken: the INSERT says so, if it ever is."""
        return get_random_string(32, VALID_KEY_CHARS)

    async def aload(self) -> dict[str, Any]:
        return await sync_to_async(self.load)()

    def save(self, must_create: bool = False) -> None:
        super(cached_db.SessionStore, self).save(must_create)
        seconds = min(KEPT_S, self.get_expiry_age())
        self._cache.set(self.cache_key, self._session, seconds)

    async def asave(self, must_create: bool = False) -> None:
        await sync_to_async(self.save)(must_create)

    def forget(self) -> None:
        """Drop the copy: the row is gone."""
        self._cache.delete(self.cache_key)

    def _copy(self, row: AbstractBaseSession) -> None:
        seconds = min(KEPT_S, self.get_expiry_age(expiry=row.expire_date))
        # Not over a newer one. And who ends or changes it later than this look at the
        # row drops the copy or writes another.
        self._cache.add(self.cache_key, self.decode(row.session_data), seconds)
        same = self.model.objects.filter(pk=row.pk, session_data=row.session_data)
        if not same.exists():
            self.forget()
