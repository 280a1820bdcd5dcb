"""Read replicas: catalogue pages may read from a standby of PostgreSQL.

A standby is always slightly behind. So it is read only where that does no harm, and
only while it is known to have everything that was committed `MAX_LAG_S` ago:

- A view opts in with `from_replica`. Even then, only tables of the catalogue are read
  there; sessions, baskets and orders never are.
- Forms, staff, and visitors who have just sent a form use the primary. A cookie marks
  these visitors for as long as the standby may be behind.
- A page that is cached for all visitors is read from a standby that has replayed every
  commit up to that moment, or from the primary (`caught_up`).

Positions in the write-ahead log (LSN) measure how far a standby has come, so no clocks
are compared. A thread asks the primary for its position twice a second. A page compares
these positions with that of its own connection, because each of several standbys is
behind by a different amount.

`routing` decides which database a page reads; `standby` measures how far behind it is.
"""
