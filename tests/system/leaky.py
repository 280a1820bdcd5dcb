"""A shop with a memory leak: requests leave data behind that is never freed.

For the positive control of the soak; never for anything else.
"""

from project.asgi import application as shop

A_REQUEST = 256 * 1024  # bytes

kept: list[bytearray] = []


async def application(scope, receive, send) -> None:
    if scope["type"] == "http":
        kept.append(bytearray(A_REQUEST))
    await shop(scope, receive, send)
