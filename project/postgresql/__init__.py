"""The database backend: Django's for PostgreSQL, which notices a failover."""
