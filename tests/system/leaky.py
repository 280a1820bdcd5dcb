"""The shop with a leak: what a minute of visitors leaves behind is never given back.

For the positive control of the soak; never for anything else.
"""

from project.asgi import application as shop

A_REQUEST = 256 * 1024  # bytes

kept: list[bytearray] = []


async def application(scope, receive, send) -> None:
    if scope["type"] == "http":
        kept.append(bytearray(A_REQUEST))
    await shop(scope, receive, send)
