"""What the live core counts, at /metrics for who may see it.

The numbers of one process; whoever asks several adds them up. Nothing here is touched
once a frame: counting costs a microsecond or two, and a frame about fifteen.
"""

from prometheus_client import Counter, Gauge, Histogram

# Seconds, from a loop that turns at once to one that is stuck.
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)

SOCKETS = Gauge("shop_sockets", "Open sockets, by who they are of", ["kind"])
LIMIT = Gauge("shop_sockets_limit", "How many sockets this process takes")
HANDSHAKE = Histogram(
    "shop_handshake_seconds", "From the upgrade to the acceptance", buckets=SHORT
)
WAITING = Gauge("shop_handshakes_waiting", "Handshakes that wait for their turn")
PUSH_LAG = Histogram(
    "shop_push_lag_seconds", "From the commit to the write to sockets", buckets=LONG
)
TICK = Histogram("shop_tick_seconds", "Writing a tick's frames", buckets=SHORT)
MESSAGES = Counter("shop_messages", "Messages of changes that Redis has delivered")
FRAMES = Counter("shop_frames", "Frames of changes handed to sockets")
DIRTY = Gauge("shop_dirty_backlog", "Topics changed and not written yet")
SLOW = Gauge("shop_slow_sockets", "Sockets that don't keep up just now")
SKIPS = Counter("shop_skips", "Frames that were not written to a slow socket")
SLOW_CUTS = Counter("shop_slow_cuts", "Sockets cut because they did not read")
CLOSES = Counter("shop_closes", "Closed sockets, by close code", ["code"])
GAPS = Counter("shop_gaps", "Topics of which a message was lost; the audit found it")
DEGRADED = Gauge("shop_degraded", "1 while Redis is away and the database polled")
RESYNCS = Counter("shop_resyncs", "Comparisons of everything, Redis being back")
HITS = Counter("shop_snapshot_hits", "Topics asked for that were in memory")
MISSES = Counter("shop_snapshot_misses", "Topics asked for that had to be loaded")
LOOP_LAG = Histogram(
    "shop_loop_lag_seconds", "How late the event loop wakes", buckets=SHORT
)
PROBE = Histogram(
    "shop_probe_seconds", "A message's way through Redis and back", buckets=SHORT
)
FILES_LIMIT = Gauge("shop_files_limit", "Files that this process may hold open")
FILES_OPEN = Gauge("shop_files_open", "Files that this process holds open")
REFUSALS = Counter("shop_refusals", "Sockets and frames refused", ["reason"])

for kind in ("public", "personal"):
    SOCKETS.labels(kind)  # there from the start, with 0
