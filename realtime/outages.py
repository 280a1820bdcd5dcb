"""Keeps the log readable while Redis is away."""

import logging

from redis.exceptions import ConnectionError, TimeoutError

AWAY = (OSError, ConnectionError, TimeoutError)


class NotAnOutage(logging.Filter):
    """Drops the traceback that the channel layer logs each second without Redis."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, AWAY)
