"""Settings of the live core, read from the environment."""

from typing import Any


def live(env: Any, *, registry: str) -> dict[str, Any]:
    """Return `settings.LIVE`. `env` reads variables as `project.environment.Env`
    does; `registry` is the path of the application's `Registry`."""
    return {
        "REGISTRY": registry,
        "TICK_MS": 50,  # each audience gets one frame per tick
        "HEARTBEAT_S": env.float("LIVE_HEARTBEAT_S", 15, least=0.1),
        # Between two comparisons with the database, which find lost messages.
        "AUDIT_S": env.float("LIVE_AUDIT_S", 3, least=0.1),
        # Between two messages that the hub sends to itself through Redis.
        "PROBE_S": env.float("LIVE_PROBE_S", 1, least=0.1),
        # How long the hub keeps a topic that nobody watches.
        "LINGER_S": env.float("LIVE_LINGER_S", 10, least=0.1),
        "MAX_TOPICS": 64,
        "MAX_FRAME_BYTES": 4096,
        # In FRAMES_WINDOW_S: messages; then bytes, and frames with pings, pongs and
        # fragments.
        "FRAMES_WINDOW_S": 10,
        "MAX_FRAMES": 20,
        "MAX_BYTES": 2**20,
        "MAX_PARTS": 100,
        # A socket with unsent bytes is cut after it has taken nothing for so long.
        "SLOW_S": env.float("LIVE_SLOW_S", 60, least=0.1),
        # The most sockets of a process; of an address (an office, a phone network); and
        # of a person or session.
        "SOCKETS": env.int("LIVE_SOCKETS", 20_000, least=1),
        "SOCKETS_PER_ADDRESS": env.int("LIVE_SOCKETS_PER_ADDRESS", 1_000, least=1),
        "SOCKETS_PER_PERSON": env.int("LIVE_SOCKETS_PER_PERSON", 50, least=1),
        # The most sockets that wait for us; and the most of an address without a first
        # answer, whether they wait for us or for their client.
        "HANDSHAKES": env.int("LIVE_HANDSHAKES", 1_000, least=1),
        "NEW_PER_ADDRESS": env.int("LIVE_NEW_PER_ADDRESS", 250, least=1),
        # A socket that has not subscribed by then is closed.
        "SILENT_S": env.float("LIVE_SILENT_S", 15, least=0.1),
        # When a process stops, /readyz fails for NOTICE_S. Then it takes at most
        # DRAIN_S to close sockets, and as long again to answer the last pages.
        "NOTICE_S": env.float("LIVE_NOTICE_S", 0),
        "DRAIN_S": env.float("LIVE_DRAIN_S", 4),
        # Other origins whose pages may open sockets, as browsers send them:
        # http://host:port.
        "ORIGINS": env.origins("LIVE_ORIGINS", default=[]),
    }
