"""The address of PostgreSQL, as the environment gives it; `redis_url` is Redis' own.

An address that cannot work is refused here, in one line that says how to write it.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from environ import Env
from psycopg2 import ProgrammingError
from psycopg2.extensions import make_dsn

from project.environment import flag

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

# https://www.postgresql.org/docs/current/libpq-connect.html
SESSIONS = (
    *("any", "read-write", "read-only"),
    *("primary", "standby", "prefer-standby"),
)
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# Settings of Django's that are yes or no, and its options beside libpq's.
FLAGS = {
    *("ATOMIC_REQUESTS", "AUTOCOMMIT"),
    *("CONN_HEALTH_CHECKS", "DISABLE_SERVER_SIDE_CURSORS"),
}
DJANGOS_OPTIONS = {"assume_role", "isolation_level"}
# How long a connection pooler keeps a session for a client: for the connection, or for
# one transaction. https://www.pgbouncer.org/features.html
POOL_MODES = ("session", "transaction")
DEFAULT_PORT = "5432"
LAST_PORT = 65_535


def database(url: str) -> dict[str, Any]:
    """Return Django's settings of the database at `url`, whose query may hold settings
    (`?CONN_MAX_AGE=0`), options of libpq (`?host=/run/postgresql`), and how a pooler on
    the way works (`?pool_mode=transaction`).

    It may name several servers, `postgres://ONE,TWO:5433/NAME`: the one that takes
    writes is used, unless `target_session_attrs` says otherwise. Raises
    `ImproperlyConfigured`.
    """
    netloc, read = _read(url)
    options = PATIENCE | read.get("OPTIONS", {})
    # A Unix socket's folder comes as ?host=…; where Django looks, dbshell does too.
    hosts, ports = _servers(netloc.rpartition("@")[2])
    if host := options.pop("host", ""):
        hosts = str(host).split(",")
    if port := options.pop("port", ""):
        ports = str(port).split(",")
    _check(hosts, ports)
    if len(hosts) > 1:  # or the first that answers is taken, a standby too
        options.setdefault("target_session_attrs", "read-write")
    pool_mode = _pool_mode(options)
    _check_options(options)
    for name in FLAGS & read.keys():
        read[name] = flag(f"DATABASE_URL: {name}", str(read[name]))
    age = read.get("CONN_MAX_AGE", 0)
    if age is not None and (type(age) is not int or age < 0):
        raise ImproperlyConfigured("DATABASE_URL: CONN_MAX_AGE is not a number.")
    ours = {"ENGINE": "project.postgresql", "CONN_HEALTH_CHECKS": True}
    if pool_mode == "transaction":
        # Outside a transaction, each query may have another session, so a cursor of the
        # server would be lost between two fetches.
        ours |= {"POOL_MODE": "transaction", "DISABLE_SERVER_SIDE_CURSORS": True}
    where = {"HOST": ",".join(hosts), "PORT": _as_setting(ports)}
    return read | ours | where | {"OPTIONS": options}


def _read(url: str) -> tuple[str, dict[str, Any]]:
    """Return the part of `url` that names servers, and what django-environ reads in it.
    Raises `ImproperlyConfigured`."""
    if not url.startswith(tuple(f"{scheme}://" for scheme in POSTGRES)):
        raise ImproperlyConfigured("DATABASE_URL must begin with postgres://.")
    try:
        parts = urlsplit(url)
        # An unescaped # or / in the password ends the server's part too early.
        is_whole = not parts.fragment and "@" not in parts.path + parts.query
        read = Env.db_url_config(url) if is_whole else None
    except ValueError:
        read = None
    if read is None:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read. {HOW_TO_ESCAPE}")
    if not read["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL names no database: postgres://…/NAME.")
    return parts.netloc, read


def replica(url: str) -> dict[str, Any]:
    """Return Django's settings of the standby at `url`, or of one of several, whichever
    answers: they share the connections. Raises `ImproperlyConfigured`."""
    try:
        settings = database(url)
    except ImproperlyConfigured as error:
        problem = str(error).replace("DATABASE_URL", "DATABASE_REPLICA_URL")
        raise ImproperlyConfigured(problem) from error
    if "POOL_MODE" in settings:
        raise ImproperlyConfigured(
            "DATABASE_REPLICA_URL: with pool_mode=transaction, each query could be"
            " answered by another standby. Use pool_mode=session."
        )
    options = settings["OPTIONS"]
    if "target_session_attrs" not in url:
        options.pop("target_session_attrs", None)
    if "," in settings["HOST"]:
        options.setdefault("load_balance_hosts", "random")
    # `project.replicas` checks each connection before it is used. A page should rather
    # read the primary than wait for a replica.
    quick = {"connect_timeout": 2, "tcp_user_timeout": 3_000}
    options |= {name: n for name, n in quick.items() if name not in url}
    return settings | {"CONN_HEALTH_CHECKS": False, "TEST": {"MIRROR": "default"}}


def _pool_mode(options: dict[str, Any]) -> str:
    """Take the mode of the pooler out of `options`. Raises `ImproperlyConfigured`."""
    mode = options.pop("pool_mode", "session")
    if mode not in POOL_MODES:
        raise ImproperlyConfigured(
            f"DATABASE_URL: pool_mode is one of {', '.join(POOL_MODES)}."
        )
    if mode == "transaction" and "options" in options:
        raise ImproperlyConfigured(
            "DATABASE_URL: with pool_mode=transaction, settings of a session (options)"
            " would be lost. Use ALTER ROLE … SET instead."
        )
    return mode


def _servers(netloc: str) -> tuple[list[str], list[str]]:
    """Return the hosts and the ports of `ONE,TWO:5433,[::1]:5434`; an IPv6 address
    without its brackets, as libpq takes it, and "" where no port is named."""
    hosts, ports = [], []
    for server in netloc.split(","):
        host, is_ipv6, rest = server.removeprefix("[").partition("]")
        if not is_ipv6:
            host, _colon, port = server.partition(":")
        else:
            port = rest.removeprefix(":")
        hosts.append(unquote(host))
        ports.append(port)
    return hosts, ports


def _check(hosts: list[str], ports: list[str]) -> None:
    """Raises `ImproperlyConfigured` for servers that nobody can connect to."""
    if len(hosts) > 1 and not all(hosts):
        raise ImproperlyConfigured("DATABASE_URL: there is a comma without a server.")
    for port in filter(None, ports):
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= LAST_PORT):
            raise ImproperlyConfigured(f"DATABASE_URL: {port!r} is no port.")
    if len(ports) not in (1, len(hosts)):
        raise ImproperlyConfigured(
            f"DATABASE_URL names {len(hosts)} servers and {len(ports)} ports."
        )


def _check_options(options: dict[str, Any]) -> None:
    """Raises `ImproperlyConfigured` for an option that libpq does not know: each
    connection would fail, as if the server were away."""
    for name in options.keys() - DJANGOS_OPTIONS:
        try:
            make_dsn(**{name: "1"})
        except ProgrammingError:
            raise ImproperlyConfigured(
                f"DATABASE_URL has the parameter {name!r}, which libpq does not know."
            ) from None
    if options.get("target_session_attrs", "any") not in SESSIONS:
        raise ImproperlyConfigured(
            f"DATABASE_URL: target_session_attrs is one of {', '.join(SESSIONS)}."
        )
    if options.get("sslmode", "prefer") not in SSL_MODES:
        raise ImproperlyConfigured(
            f"DATABASE_URL: sslmode is one of {', '.join(SSL_MODES)}."
        )


def _as_setting(ports: list[str]) -> str | int:
    """Return the ports as Django's PORT. libpq would take one port for all servers."""
    if not any(ports):
        return ""
    if len(ports) == 1:
        return int(ports[0])
    return ",".join(port or DEFAULT_PORT for port in ports)
