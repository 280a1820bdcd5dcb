"""The address of PostgreSQL, as the environment gives it; `redis_url` is Redis' own.

An address that cannot work is refused here, in one line that says how to write it.
"""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env

POSTGRES = ("postgres", "postgresql", "psql", "pgsql")
HOW_TO_ESCAPE = (
    "Write special characters of a user name or password as in an address:"
    " # is %23, / is %2F, ? is %3F, [ is %5B, @ is %40, : is %3A, % is %25."
)
# A network that swallows packets is noticed in half a minute, not in two hours.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def database(url: str) -> dict[str, Any]:
    """Return Django's settings of the database at `url`, whose query may hold settings
    (`?CONN_MAX_AGE=0`) and options of libpq (`?host=/run/postgresql`,
    `?target_session_attrs=read-write`). Raises `ImproperlyConfigured`."""
    if not url.startswith(tuple(f"{scheme}://" for scheme in POSTGRES)):
        raise ImproperlyConfigured("DATABASE_URL must begin with postgres://.")
    try:
        parts = urlsplit(url)
        # A password with one of these in it has ended the address early.
        is_whole = not parts.fragment and "@" not in parts.path + parts.query
        found = Env.db_url_config(url) if is_whole else None
    except ValueError:
        found = None
    if found is None:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read. {HOW_TO_ESCAPE}")
    if not found["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL names no database: postgres://…/NAME.")
    options = PATIENCE | found.get("OPTIONS", {})
    # A Unix socket's folder comes as ?host=…; where Django looks, dbshell does too.
    host = options.pop("host", "") or found["HOST"]
    ours = {"ENGINE": "project.postgresql", "CONN_HEALTH_CHECKS": True}
    return found | ours | {"HOST": host, "OPTIONS": options}
