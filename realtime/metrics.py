"""The metrics of the live core, served at /metrics.

They are the numbers of one process. Monitors add up those of several. None of them is
updated once per frame: that would cost a microsecond or two, and a frame costs about
fifteen.
"""

from prometheus_client import Counter, Gauge, Histogram

# Seconds, from a loop that responds at once to one that is stuck.
SHORT = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30)

SOCKETS = Gauge("shop_sockets", "Open sockets, public or personal", ["kind"])
LIMIT = Gauge("shop_sockets_limit", "How many sockets this process takes")
HANDSHAKE = Histogram(
    "shop_handshake_seconds", "From the upgrade to the acceptance", buckets=SHORT
)
WAITING = Gauge("shop_handshakes_waiting", "Handshakes in the queue")
PUSH_LAG = Histogram(
    "shop_push_lag_seconds", "From the commit to the write to sockets", buckets=LONG
)
TICK = Histogram("shop_tick_seconds", "Writing a tick's frames", buckets=SHORT)
MESSAGES = Counter("shop_messages", "Messages about changes that Redis delivered")
FRAMES = Counter("shop_frames", "Frames with changes handed to sockets")
DIRTY = Gauge("shop_dirty_backlog", "Changed topics not written yet")
SLOW = Gauge("shop_slow_sockets", "Sockets that are behind now")
SKIPS = Counter("shop_skips", "Frames not written because a socket was slow")
SLOW_CUTS = Counter("shop_slow_cuts", "Sockets cut because they did not read")
CLOSES = Counter("shop_closes", "Closed sockets, by close code", ["code"])
GAPS = Counter("shop_gaps", "Lost messages that the audit found")
DEGRADED = Gauge(
    "shop_degraded", "1 while Redis is away and the hub polls the database"
)
RESYNCS = Counter("shop_resyncs", "Comparisons of all topics after Redis came back")
HITS = Counter("shop_snapshot_hits", "Requested topics that were in memory")
MISSES = Counter("shop_snapshot_misses", "Requested topics that had to be loaded")
LOOP_LAG = Histogram(
    "shop_loop_lag_seconds", "How late the event loop wakes", buckets=SHORT
)
PROBE = Histogram(
    "shop_probe_seconds", "A message's round trip through Redis", buckets=SHORT
)
FILES_LIMIT = Gauge("shop_files_limit", "Files that this process may open")
FILES_OPEN = Gauge("shop_files_open", "Files that this process has open")
REFUSALS = Counter("shop_refusals", "Refused sockets, frames and requests", ["reason"])

for kind in ("public", "personal"):
    SOCKETS.labels(kind)  # present from the start, as 0
