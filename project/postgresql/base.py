"""Django's PostgreSQL backend. It drops a connection that can only read, and knows on
which timeline the rows are."""

import hashlib

from django.db import DatabaseError, InterfaceError
from django.db.backends.postgresql import base

# What a restore into a new database, one over an old database, a recovery to an earlier
# moment and a promotion change: at least one of these. `timeline` is PostgreSQL's own.
TIMELINE = """
SELECT concat_ws(
    ' ',
    (SELECT system_identifier FROM pg_control_system()),
    (SELECT oid FROM pg_database WHERE datname = current_database()),
    to_regclass('django_migrations')::oid,
    CASE WHEN NOT pg_is_in_recovery()
        THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END
)
"""


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the server that takes writes.

    A failover may leave a connection alive, to a server that has become a standby. A
    new connection finds the server that takes writes (`target_session_attrs`).
    """

    timeline = ""  # as `read_timeline()` found it when the connection was made

    @property
    def is_pooled(self) -> bool:
        """Whether each transaction may have another session, of another server even:
        behind the pooler, a failover leaves this connection as it is."""
        return self.settings_dict.get("POOL_MODE") == "transaction"

    def init_connection_state(self) -> None:
        super().init_connection_state()
        self.read_timeline()

    def read_timeline(self) -> str:
        """Look up the name of the timeline that the rows are on, and return it.

        Another name says that rows may have gone back to an earlier state, so that
        their versions count from there: a backup was restored, or a standby was
        promoted that had not heard of the last commits.
        """
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(TIMELINE)
            (facts,) = cursor.fetchone()
        self.timeline = hashlib.sha256(facts.encode()).hexdigest()[:16]
        return self.timeline

    def is_usable(self) -> bool:
        """Return whether the connection works and can write.

        Django asks once a request, and after each failed one. It costs what Django's
        own `SELECT 1` costs; behind a pooler, the timeline is looked up as well.
        """
        if self.connection is None:
            return False
        try:
            # A psycopg cursor, as Django's own wraps errors and logs queries.
            with self.connection.cursor() as cursor:
                cursor.execute("SHOW transaction_read_only")
                can_write = cursor.fetchone()[0] == "off"
            if can_write and self.is_pooled:
                self.read_timeline()
        except (self.Database.Error, DatabaseError, InterfaceError):
            return False
        return can_write
