"""The server process: Daphne, with connections and limits of our own.

    python -m realtime.server --port 8000 project.asgi:application

It takes Daphne's flags, and `--role`, which says whether the process serves pages,
sockets or both.

These modules subclass or patch the libraries below them:

- `server`: Daphne's server with our protocols, from start-up to shutdown
- `websocket`: a WebSocket connection, on `wire` (output) and `flood` (input limits)
- `connections`, `channel`, `handshake`, `request`: HTTP connections and their limits
- `gate`: accepts connections only while there are files for them
- `reactor`: an event loop that handles a limited number of events per iteration
- `patches`: library functions that are replaced as a whole

These don't:

- `handshake_queue`: decides which handshake is served next
- `body_budget`: how many bytes of request bodies the process holds
- `inbox`, `deadlines`: a small queue and a fast timer
- `startup`, `shutdown`, `garbage`: the life of the process

The first group depends on internals of Twisted, Autobahn and Daphne, so their versions
are pinned. `tests/realtime/server/test_versions.py` fails when they change.
"""
