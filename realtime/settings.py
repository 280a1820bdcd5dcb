"""Settings of the live core, read from the environment."""

from typing import Any


def live(env: Any, *, registry: str) -> dict[str, Any]:
    """Return `settings.LIVE`. `env` reads variables as `project.environment.Env`
    does; `registry` is the path of the application's `Registry`."""
    return {
        "REGISTRY": registry,
        "TICK_MS": 50,  # one frame an audience a tick
        "HEARTBEAT_S": env.float("LIVE_HEARTBEAT_S", 15, least=0.1),
        "AUDIT_S": env.float(
            "LIVE_AUDIT_S", 3, least=0.1
        ),  # compare with the database, heal losses
        "PROBE_S": env.float(
            "LIVE_PROBE_S", 1, least=0.1
        ),  # a message to itself through Redis
        "LINGER_S": env.float(
            "LIVE_LINGER_S", 10, least=0.1
        ),  # keep an unwatched topic for so long
        "MAX_TOPICS": 64,
        "MAX_FRAME_BYTES": 4096,
        "MAX_FRAMES": 20,  # in FRAMES_WINDOW_S
        "FRAMES_WINDOW_S": 10,
        # In FRAMES_WINDOW_S, pings, pongs and parts of messages included.
        "MAX_BYTES": 2**20,
        "MAX_PARTS": 100,
        # A socket that takes nothing for so long while something waits for it is cut.
        "SLOW_S": env.float("LIVE_SLOW_S", 60, least=0.1),
        # How many sockets a process takes; of one address (an office, a phone network),
        # of one person or session; how many may wait for their first answer from us;
        # and how many of one address may have none yet, whoever it is that waits.
        "SOCKETS": env.int("LIVE_SOCKETS", 20_000, least=1),
        "SOCKETS_PER_ADDRESS": env.int("LIVE_SOCKETS_PER_ADDRESS", 1_000, least=1),
        "SOCKETS_PER_PERSON": env.int("LIVE_SOCKETS_PER_PERSON", 50, least=1),
        "HANDSHAKES": env.int("LIVE_HANDSHAKES", 1_000, least=1),
        "NEW_PER_ADDRESS": env.int("LIVE_NEW_PER_ADDRESS", 250, least=1),
        # A socket that has not asked for anything by then is closed.
        "SILENT_S": env.float("LIVE_SILENT_S", 15, least=0.1),
        # When a process is stopped: say so at /readyz for so long, and then take at
        # most so long to say goodbye to sockets, and again to answer the last pages.
        "NOTICE_S": env.float("LIVE_NOTICE_S", 0),
        "DRAIN_S": env.float("LIVE_DRAIN_S", 4),
        # Pages of other origins may not open sockets; http://host:port, as browsers
        # say.
        "ORIGINS": env.origins("LIVE_ORIGINS", default=[]),
    }
