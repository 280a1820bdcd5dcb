"""REDIS_URL, read once: one Redis for the cache, the channel layer, Celery and clients.
REDIS_LAYER_URLS, several of the same form with spaces between, are for the layer alone.

    redis://[USER:PASSWORD@]HOST[:6379][/DB]      rediss://… by TLS
    unix://[USER:PASSWORD@]/PATH[?db=DB]
    redis+sentinel://[USER:PASSWORD@]HOST[:26379][,HOST…]/MASTER[/DB]
                                                  rediss+sentinel://… by TLS

Each library has a spelling of its own for these, or none. `Redis` has a form for each,
so that all reach the same server, sign in and check certificates in the same way.
An address that cannot work is refused in one line, which never shows a password.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType, ModuleType
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote

import redis.asyncio.connection
import redis.asyncio.sentinel
import redis.sentinel
from django.core.exceptions import ImproperlyConfigured
from redis.backoff import NoBackoff
from redis.connection import ConnectionPool
from redis.retry import Retry

from project.sentinels import AsyncMaster, Master
from project.server_urls import HOW_TO_ESCAPE

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
PORT, SENTINEL_PORT = 6379, 26379
HOST = re.compile(r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
NUMBER = re.compile(r"[0-9]{1,9}")

TLS = (
    *("ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs"),
    *("ssl_certfile", "ssl_keyfile", "ssl_password"),
)
SIGN_IN_AT_SENTINEL = ("sentinel_username", "sentinel_password")

SENTINEL_TIMEOUT_S = 1  # a Sentinel that is away; then the next one is asked


@dataclass(frozen=True, kw_only=True)
class Redis:
    """Where Redis is and how to sign in. Secrets are not in its repr."""

    servers: tuple[tuple[str, int], ...] = ()  # one, or all Sentinels
    path: str = ""  # of a Unix socket; then there are no servers
    master: str = ""  # what the Sentinels call the server; "" without Sentinels
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    # redis-py's options; empty without TLS.
    tls: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def pool(self, **options: Any) -> ConnectionPool:
        """Return a pool of connections; `options` are redis-py's for each of them."""
        kinds = redis.connection, redis.sentinel, Master
        return ConnectionPool(**self._connection(*kinds), **options)

    def client(self, **options: Any) -> redis.Redis:
        """Return a client, which closes its connections with itself. It tries once: by
        itself redis-py would wait and try again."""
        once = {"retry": Retry(NoBackoff(), 0)}
        return redis.Redis.from_pool(self.pool(**once | options))

    def layer_host(self, **options: Any) -> dict[str, Any]:
        """Return the one entry of `hosts` of channels_redis' layers."""
        kinds = redis.asyncio.connection, redis.asyncio.sentinel, AsyncMaster
        return self._connection(*kinds) | options

    @property
    def broker_url(self) -> str:
        """The address for Celery, which also needs `broker_tls` and
        `broker_options`."""
        sign_in = ":".join(_quoted(text) for text in (self.username, self.password))
        before = f"{sign_in}@" if sign_in != ":" else ""
        if self.path:
            path = quote(self.path)
            return f"redis+socket://{before}{path}?virtual_host={self.db}"
        scheme = "sentinel" if self.master else "rediss" if self.tls else "redis"
        return ";".join(
            f"{scheme}://{before}{_bracketed(host)}:{port}/{self.db}"
            for host, port in self.servers
        )

    @property
    def broker_tls(self) -> dict[str, Any] | None:
        """Celery's `broker_use_ssl`: None without TLS. Kombu takes an address alone as
        leave to check nothing."""
        return dict(self.tls) or None

    @property
    def broker_options(self) -> dict[str, Any]:
        """What Celery's `broker_transport_options` must hold."""
        if not self.master:
            return {}
        return {
            "master_name": self.master,
            "sentinel_kwargs": self._sentinel(Master.retry),
        }

    def _connection(
        self,
        plain: ModuleType,
        managed: ModuleType,
        master: type[Master] | type[AsyncMaster],
    ) -> dict[str, Any]:
        """redis-py's options of a connection, whose kind is in one of these modules."""
        options: dict[str, Any] = {
            "db": self.db,
            "username": self.username,
            "password": self.password,
            **self.tls,
        }
        if self.path:
            kind = plain.UnixDomainSocketConnection
            return options | {"connection_class": kind, "path": self.path}
        if self.master:
            kind = (
                managed.SentinelManagedSSLConnection
                if self.tls
                else managed.SentinelManagedConnection
            )
            pool = master(self.master, self.servers, **self._sentinel(master.retry))
            return options | {"connection_class": kind, "connection_pool": pool}
        kind = plain.SSLConnection if self.tls else plain.Connection
        ((host, port),) = self.servers
        return options | {"connection_class": kind, "host": host, "port": port}

    def _sentinel(
        self, retry: type[Retry] | type[redis.asyncio.retry.Retry]
    ) -> dict[str, Any]:
        """redis-py's options of a client of a Sentinel. The next one is its retry."""
        return {
            "username": self.sentinel_username,
            "password": self.sentinel_password,
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
            "retry": retry(NoBackoff(), 0),
            "ssl": bool(self.tls),
            **self.tls,
        }


def _quoted(text: str | None) -> str:
    return quote(text or "", safe="")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# --- Reading ----------------------------------------------------------------------


class Fault(ValueError):
    """A fault of an address. Its text follows the name of the variable."""


def parse_all(urls: str, variable: str) -> tuple[Redis, ...]:
    """Return what each of `urls`, with spaces between, says. None may be there twice.
    Raises `ImproperlyConfigured`, which names the variable."""
    servers: list[Redis] = []
    for url in urls.split():
        server = parse(url, variable)
        if server in servers:
            raise ImproperlyConfigured(f"{variable} names a server twice.")
        servers.append(server)
    return tuple(servers)


@lru_cache
def parse(url: str, variable: str = "REDIS_URL") -> Redis:
    """Parse `url`. Raises `ImproperlyConfigured`, which names the variable."""
    try:
        return _read(url)
    except Fault as fault:
        message = str(fault)
    except ValueError:  # its text may hold a part of the password
        message = f"cannot be read. {HOW_TO_ESCAPE}"
    raise ImproperlyConfigured(f"{variable} {message}")


# RFC 3986, appendix B.
PARTS = re.compile(r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?")


def _split(url: str) -> SplitResult:
    """`urlsplit` for several servers: from Python 3.14 on, that one refuses an IPv6
    address beside others. Raises `ValueError` for stray brackets."""
    match = next(PARTS.finditer(url))  # there always is one, empty if need be
    scheme, *others = match.groups(default="")
    sign_in, _at, hosts = others[0].rpartition("@")
    if re.search(r"[][]", sign_in) or hosts.count("[") != hosts.count("]"):
        raise ValueError
    return SplitResult(scheme.lower(), *others)


def _read(url: str) -> Redis:
    """Raises `ValueError`."""
    url.encode()  # the environment may hold bytes that are no text
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise Fault("has a space or a line break in it; a space is written %20.")
    parts = _split(url)
    scheme, is_sentinel = _scheme(url), parts.scheme.endswith("+sentinel")
    # An unescaped # or / in the password ends the server's part too early.
    if "#" in url or "@" in parts.path + parts.query:
        raise Fault(f"cannot be read. {HOW_TO_ESCAPE}")
    query = _query(parts.query, is_sentinel, scheme.startswith("rediss"))
    sign_in, _at, hosts = parts.netloc.rpartition("@")
    username, _colon, password = sign_in.partition(":")
    options: dict[str, Any] = {
        "username": _unquoted(username) or None,
        "password": _unquoted(password) or None,
        "tls": MappingProxyType(_tls(query) if scheme.startswith("rediss") else {}),
        **{name: query.get(name) or None for name in SIGN_IN_AT_SENTINEL},
    }
    if scheme == "unix":
        return Redis(path=_path(parts), db=_db("", query), **options)
    servers = _servers(hosts, SENTINEL_PORT if is_sentinel else PORT)
    path = parts.path.strip("/")
    if is_sentinel:
        master, _slash, path = path.partition("/")
        if not master:
            raise Fault("names no master: redis+sentinel://HOST,HOST/MASTER/DB.")
        options["master"] = _unquoted(master)
    elif len(servers) > 1:
        raise Fault("names several hosts; that is for redis+sentinel:// alone.")
    return Redis(servers=servers, db=_db(path, query), **options)


def _unquoted(text: str) -> str:
    """Raises `ValueError` unless it is UTF-8."""
    return unquote(text, errors="strict")


def _scheme(url: str) -> str:
    scheme, is_whole, _rest = url.partition("://")
    scheme = scheme.lower()
    if is_whole and "cluster" in scheme:
        raise Fault("is of a Redis Cluster, which Celery cannot use; name one server.")
    if not is_whole or scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise Fault(f"must begin with one of {known}.")
    return scheme


def _query(text: str, is_sentinel: bool, has_tls: bool) -> dict[str, str]:
    if "+" in text:  # some take it for a space
        raise Fault("has a + behind its question mark; write %2B, or %20 for a space.")
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    query = dict(pairs)
    for name, value in pairs:
        if name not in ("db", *TLS, *SIGN_IN_AT_SENTINEL):
            known = ", ".join(("db", *TLS, *SIGN_IN_AT_SENTINEL))
            raise Fault(f"has the parameter {name!r}, which is none of {known}.")
        if not value:
            raise Fault(f"has no value for {name}.")
        if name in TLS and not has_tls:
            raise Fault(f"has {name}, which goes with rediss:// alone.")
        if name in SIGN_IN_AT_SENTINEL and not is_sentinel:
            raise Fault(f"has {name}, which goes with redis+sentinel:// alone.")
    if len(query) < len(pairs):
        raise Fault("has a parameter twice.")
    return query


def _path(parts: SplitResult) -> str:
    if parts.netloc.rpartition("@")[2] or not parts.path.strip("/"):
        raise Fault("names no socket: unix:///PATH, or unix://USER:PASSWORD@/PATH.")
    return _unquoted(parts.path)


def _servers(text: str, usual_port: int) -> tuple[tuple[str, int], ...]:
    servers = []
    for item in text.split(","):
        match = HOST.fullmatch(item)
        if match is None:
            raise Fault(f"must name a host, or host:port. {HOW_TO_ESCAPE}")
        port = int(match["port"] or usual_port)
        if not 0 < port < 2**16:
            raise Fault("has a port that is not between 1 and 65535.")
        servers.append((match["host"].strip("[]"), port))
    return tuple(servers)


def _db(path: str, query: Mapping[str, str]) -> int:
    """Return the database's number, from the end of the path or from the query."""
    number = query.get("db", path or "0")
    if not NUMBER.fullmatch(number):
        raise Fault("must name its database by a number: redis://HOST/0.")
    if path and path != number:
        raise Fault("names two databases: the path and ?db= differ.")
    return int(number)


def _tls(query: Mapping[str, str]) -> dict[str, Any]:
    """Return redis-py's options. Certificates are checked unless that is turned off."""
    tls: dict[str, Any] = {name: query[name] for name in TLS if name in query}
    tls.setdefault("ssl_cert_reqs", "required")
    if tls["ssl_cert_reqs"] not in ("required", "none"):
        raise Fault("takes ssl_cert_reqs=required or ssl_cert_reqs=none.")
    checked = tls.get("ssl_check_hostname", "true").lower()
    if checked not in ("true", "false"):
        raise Fault("takes ssl_check_hostname=true or ssl_check_hostname=false.")
    tls["ssl_check_hostname"] = checked == "true"
    if "ssl_keyfile" in tls and "ssl_certfile" not in tls:
        raise Fault("has ssl_keyfile without ssl_certfile.")
    _try_files(tls)
    return tls


def _try_files(tls: Mapping[str, Any]) -> None:
    """Load the files now, and not when the first page connects."""
    try:
        context = ssl.create_default_context()
        if authorities := tls.get("ssl_ca_certs"):
            context.load_verify_locations(cafile=authorities)
    except OSError as error:
        raise Fault(f"names ssl_ca_certs that cannot be used: {error}.") from None
    try:
        if certificate := tls.get("ssl_certfile"):
            # Without a password OpenSSL would ask for one on the terminal.
            secret = tls.get("ssl_password", "")
            context.load_cert_chain(certificate, tls.get("ssl_keyfile"), secret)
    except OSError as error:
        message = f"names ssl_certfile and ssl_keyfile that cannot be used: {error}."
        raise Fault(message) from None
