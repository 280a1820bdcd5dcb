"""The live core serves any application that has a registry: here a toy."""

import asyncio
import json

import pytest
from django.conf import settings as django_settings

from realtime.consumers.application import application
from realtime.publish import publish
from tests.support import toy
from tests.support.servers import wait_until


@pytest.fixture
def loop(settings, loop):
    """A hub that starts on this loop serves the toy."""
    settings.LIVE = settings.LIVE | {"REGISTRY": "tests.support.toy.toy"}
    return loop


class Client:
    """A socket opened with that session."""

    def __init__(self, loop, session_key: str = "") -> None:
        self.frames: list[dict] = []
        self._loop, self._inbox = loop, loop.call(asyncio.Queue)
        cookie = f"{django_settings.SESSION_COOKIE_NAME}={session_key}".encode()
        scope = {"type": "websocket", "path": "/ws/", "headers": [(b"cookie", cookie)]}
        self._served = loop.spawn(application(scope, self._inbox.get, self._send))
        self._put({"type": "websocket.connect"})

    def _put(self, message: dict) -> None:
        self._loop.call(self._inbox.put_nowait, message)

    async def _send(self, message: dict) -> None:
        if message["type"] == "websocket.send":
            self.frames.append(json.loads(message["text"]))

    def watch(self, name: str) -> list[dict]:
        """Subscribe to a topic; return the frames up to the snapshot."""
        frame = {"t": "sub", "id": 1, "topics": {name: None}}
        self._put({"type": "websocket.receive", "text": json.dumps(frame)})
        wait_until(lambda: self.items("snap") is not None, "the snapshot", 5)
        return self.frames

    def items(self, kind: str) -> list | None:
        """The items of the last frame of that kind."""
        lists = [frame["items"] for frame in tuple(self.frames) if frame["t"] == kind]
        return lists[-1] if lists else None

    def close(self) -> None:
        self._put({"type": "websocket.disconnect", "code": 1001})
        self._served.result(5)


@pytest.fixture
def connect(transactional_db, loop):
    clients = []

    def connect(session_key: str = "") -> Client:
        clients.append(Client(loop, session_key))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def change(identifier: str, key: str) -> int:
    """Change a row of the toy and push a hint; return the new version."""
    toy.database[identifier] += 1
    publish(key, version=toy.database[identifier])
    return toy.database[identifier]


def test_push_of_a_toy_topic_arrives(connect):
    client = connect()
    version = toy.database["1"]
    assert client.watch("lamp:1")[-1]["items"] == [["lamp:1", version, {"n": version}]]

    version = change("1", "lamp:1")

    pushed = [["lamp:1", version, {"n": version}]]
    wait_until(lambda: client.items("upd") == pushed, "the push", 5)


def test_toy_topic_is_refused_without_its_right_and_not_pushed(connect):
    outsider, keyholder = connect("visitor"), connect("keyholder")
    assert outsider.watch("vault")[0] | {"msg": ""} == {
        **{"t": "err", "id": 1, "code": "unknown_topic", "msg": ""},
        "topics": ["vault"],
    }
    assert outsider.items("snap") == []
    assert [name for name, *_ in keyholder.watch("vault")[-1]["items"]] == ["vault"]

    version = change("", "vault:")

    pushed = [["vault", version, {"n": version}]]
    wait_until(lambda: keyholder.items("upd") == pushed, "the push", 5)
    assert outsider.items("upd") is None
