"""Django's PostgreSQL backend. It drops a connection that can only read."""

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the server that takes writes.

    A failover may leave a connection alive, to a server that has become a standby. A
    connection made anew finds the server that takes writes (`target_session_attrs`).
    """

    def is_usable(self) -> bool:
        """Return whether the connection works and can write.

        Django asks once a request, and after each failed one. It costs what Django's
        own `SELECT 1` costs.
        """
        if self.connection is None:
            return False
        try:
            # A psycopg cursor, as Django's own wraps errors and logs queries.
            with self.connection.cursor() as cursor:
                cursor.execute("SHOW transaction_read_only")
                return cursor.fetchone()[0] == "off"
        except base.Database.Error:
            return False
