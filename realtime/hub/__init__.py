"""The hub: one per process, between the channel layer and this process's sockets.

    Redis ─→ listener ─→ topics ─→ writer, paced, heartbeats ─→ sockets
               │           ↑
               └→ loader ──┘ ←─ checks (audit, probe of the layer)

The hub joins a topic's group when the first socket watches the topic, keeps the topic's
newest state, and every tick writes one frame to all sockets that watch the same topics
in the same language (an audience). Messages may be lost, doubled or reordered: only a
higher version replaces a state, and three checks find what was lost:

- the *audit* compares the versions held here with the database every few seconds,
- the *probe* sends itself a message through each Redis. If one does not come back,
  pushes are being lost: the audit then runs faster, and everything is compared once
  all probes come back,
- the *heartbeat* gives each socket a digest of the versions that it should show.

Versions count on one *timeline* of the database. After a restore or a failover there is
another, on which they may be lower: then the hub loads everything again and asks every
socket to come back.

`realtime.registry` has a glossary.
"""

import asyncio

from realtime import registry
from realtime.hub.hub import Hub

_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}


def get_hub() -> Hub:
    """This process's hub (one for each event loop), started on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(registry.configured())
        _hubs[loop].start()
    return _hubs[loop]


def running_hub() -> Hub | None:
    """The running loop's hub, if it was started."""
    return _hubs.get(asyncio.get_running_loop())


async def stop_hub() -> None:
    """Stop the running loop's hub, if there is one."""
    hub = _hubs.pop(asyncio.get_running_loop(), None)
    if hub is not None:
        await hub.stop()
