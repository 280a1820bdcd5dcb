"""The socket at `/ws/`. It only listens: whatever changes the shop travels by POST.

`application` answers a handshake. A `Consumer` then answers what the client asks. It is
a `Connection`, which sends frames and keeps what a slow client is owed.

This is a plain ASGI callable, not a Channels consumer class. Those keep a task and a
subscription for every socket, and hop through a shared thread for every message.
"""
