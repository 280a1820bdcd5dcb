"""`make run WEB=2`: several server processes behind a real nginx, on one port."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import nginx
import notes
import psutil
import pytest
from websockets.sync.client import connect

from tests.deploy.test_local import environment, up
from tests.support.factories import make_picture, make_variant
from tests.support.servers import Redis, database_url, free_port, wait_until

LOCAL = Path(__file__).resolve().parents[2] / "deploy" / "local"
SOON_S = 60  # a limit, on a busy machine
ODD = '$HOME "quoted" `id` ;'
# What `run` does once the database is prepared.
SERVE = """
import sys; from pathlib import Path
import commands, machine, processes; from servers import Servers
local = Path(sys.argv[1]); host, port = machine.asked_address()
lock = machine.Lock(local / "run.lock"); lock.take()
env = commands.environment_of_run(servers := Servers(local), host, port)
sys.exit(processes.together(servers, env, local / "run.json", commands.asked_servers()))
"""


class Run:
    """A shop in a folder with an odd name, under a path, on the test's database."""

    def __init__(self, folder: Path, redis: Redis, **told: str) -> None:
        self.local, self.port = folder / ODD / "local", free_port()
        self.local.mkdir(parents=True)
        self.url = f"http://localhost:{self.port}/store/eu"
        self.env = environment(
            self.local,
            **told,
            WEB="2",
            PORT=str(self.port),
            DOMAIN_NAME=self.url,
            DATABASE_URL=database_url(),
            REDIS_URL=redis.url,
            MEDIA_ROOT=str(self.local / "media"),
            PYTHONPATH=str(LOCAL),
            PYTHONUNBUFFERED="1",
        )
        self.log = (folder / "log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.local)],
            env=self.env,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def said(self) -> str:
        return Path(self.log.name).read_text()

    def status(self) -> str:
        told = {name: self.env[name] for name in ("DATABASE_URL", "REDIS_URL")}
        return up(self.local, "status", **told).stdout

    def pids(self) -> dict[str, int]:
        """The processes by name, as the note has them."""
        return notes.read_note(self.local / "run.json").get("named", {})

    def server(self, name: str) -> psutil.Process:
        """The server itself, which its keeper has started."""
        (child,) = psutil.Process(self.pids()[name]).children()
        return child

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(SOON_S)
        self.log.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory) -> Iterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    redis.start()
    yield redis
    redis.stop()


def ask(url: str, **headers: str) -> tuple[int, dict, bytes]:
    asked = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=SOON_S) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, dict(refused.headers), b""


def test_two_processes_serve_one_port_and_are_started_again(
    transactional_db, redis, static, tmp_path
):
    run = Run(tmp_path, redis, **static)
    try:
        wait_until(lambda: "The shop is open" in run.said(), "the shop", SOON_S)
        assert run.said().count(f"The shop is open: {run.url}/") == 1

        # Pages, sockets and pictures through the one port.
        assert ask(f"{run.url}/products/")[0] == 200
        assert ask(f"{run.url}/ws/")[0] == 426
        origin = f"http://localhost:{run.port}"
        address = f"{run.url.replace('http', 'ws')}/ws/"
        with connect(address, origin=origin, subprotocols=["shop.v1"]) as opened:
            opened.ping().wait(SOON_S)
        media = run.local / "media" / "a.png"
        media.parent.mkdir(exist_ok=True)
        media.write_bytes(make_picture().read())
        status, headers, body = ask(f"{run.url}/media/a.png")
        assert (status, body) == (200, media.read_bytes())
        assert headers["Content-Type"] == "image/png"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert '"GET /store/eu/products/ ' in accesses(run)

        # All of them are known by name.
        status = run.status()
        for name in ("nginx", "pages.1", "sockets.1", "worker", "beat"):
            assert re.search(rf"^{re.escape(name)} +process \d+$", status, re.M), status

        # A load test of this machine asks each process itself, past nginx.
        assert ask(f"{run.url}/metrics")[0] == 404
        figures = load(run, tmp_path / "figures.json")
        assert set(figures["processes"]) == {"pages.1", "sockets.1"}
        assert figures["processes"]["sockets.1"]["role"] == "sockets"
        assert figures["figures"]["server_pages_cpu_percent"] > 0
        assert figures["figures"]["server_sockets_cpu_percent"] >= 0
        assert figures["figures"]["server_memory_mb"] > 50

        # Who dies comes back, and the others go on.
        others = run.pids()
        for name in ("pages.1", "sockets.1", "nginx"):
            run.server(name).kill()
        wait_until(
            lambda: answers(f"{run.url}/products/", 200)
            and answers(f"{run.url}/ws/", 426),
            "the return",
            SOON_S,
        )
        assert run.pids() == others
        assert run.said().count("It was killed (signal 9). Starting it again") == 3

        # Who stops it stops all.
        left = psutil.Process(run.process.pid).children(recursive=True)
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(SOON_S) in (0, 128 + signal.SIGTERM)
        assert not [each for each in left if each.is_running()]
    finally:
        run.end()


def load(run: Run, figures: Path) -> dict:
    """A short load test as a person starts it on the same machine."""
    make_variant()
    command = [sys.executable, "-m", "realtime.loadtest", "--url", run.url]
    command += ["--sockets", "4", "--duration", "3", "--quiet", "1", "--shared"]
    command += ["--phases", "idle,fanout", "--products", "1", "--json", str(figures)]
    done = subprocess.run(
        command,
        env=os.environ | {"SHOP_LOCAL_DIR": str(run.local)},
        capture_output=True,
        text=True,
        timeout=SOON_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(figures.read_text())


def accesses(run: Run) -> str:
    return (run.local / "nginx" / "access.log").read_text()


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), SOON_S).close()
    except OSError:
        return False
    return True


def answers(url: str, status: int) -> bool:
    try:
        return ask(url)[0] == status
    except OSError:
        return False


# --- The command line -------------------------------------------------------------


@pytest.mark.parametrize("web", ["0", "17", "two", "2x", "-1", "1.5", "٢"])
def test_web_that_is_no_number_of_processes_is_one_line(tmp_path, web):
    done = up(tmp_path, "run", WEB=web)

    line = f"WEB={web} is not a number from 1 to 16. Try: make run WEB=2\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, line, "")


@pytest.mark.parametrize("count", range(2, 17))
def test_each_kind_has_a_process_and_pages_have_as_many_at_least(count):
    kinds = nginx.split(count)

    assert sum(kinds.values()) == count
    assert kinds["pages"] >= kinds["sockets"] >= 1


# --- The configuration ------------------------------------------------------------


def of_run(folder: Path, **told: str) -> nginx.Nginx:
    env = {
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "DOMAIN_NAME": "http://localhost:8000",
        "SHOP_LOCAL_DIR": str(folder),
        "MEDIA_ROOT": str(folder / "media"),
    }
    made = nginx.Nginx(folder / "run", env | told, {"pages": 3, "sockets": 1})
    made.write()
    return made


def check(made: nginx.Nginx) -> str:
    """What nginx says against it."""
    words = ["-t", "-q", "-p", str(made.folder), "-c", "nginx.conf"]
    words += ["-e", "logs/error.log"]
    done = subprocess.run(
        [nginx.program(), *words], capture_output=True, text=True, cwd=made.folder
    )
    assert done.returncode == 0 or done.stderr
    return done.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"])
@pytest.mark.parametrize("path", ["", "/shop", "/a.b/~c"])
@pytest.mark.parametrize("behind", ["", "1"])
def test_nginx_takes_the_configuration(tmp_path, host, path, behind):
    domain = f"http://localhost:8000{path}"
    made = of_run(tmp_path, HOST=host, DOMAIN_NAME=domain, BEHIND_PROXY=behind)

    assert check(made) == ""


def test_configuration_of_a_path_has_the_limits_of_the_whole_server(tmp_path):
    made = of_run(tmp_path, DOMAIN_NAME="https://shop.example/store")
    text = (made.folder / "nginx.conf").read_text()
    locations = (made.folder / "shop-under-path.conf").read_text()

    for directive in ("large_client_header_buffers 4 16k;", "server_tokens off;"):
        assert text.count(directive) == 1
    assert "client_header_timeout 15s;" in text and "location @headers {" in text
    code = re.sub(r"#.*", "", locations)
    assert "location = /store/ws/ {" in code and "return 301 /store/$is_args" in code
    assert "/shop" not in code.replace("//shop", "")


@pytest.mark.parametrize(
    "told, count",
    [
        ({}, "1"),
        ({"BEHIND_PROXY": "0", "TRUSTED_PROXY_COUNT": "3"}, "1"),
        ({"BEHIND_PROXY": "1"}, "2"),
        ({"BEHIND_PROXY": "true", "TRUSTED_PROXY_COUNT": "2"}, "3"),
        ({"BEHIND_PROXY": "1", "TRUSTED_PROXY_COUNT": "many"}, "many"),
    ],
)
def test_shop_trusts_one_proxy_more(tmp_path, told, count):
    assert of_run(tmp_path, **told).of_servers() == {
        "BEHIND_PROXY": "1",
        "TRUSTED_PROXY_COUNT": count,
    }


def test_scheme_is_the_one_that_a_proxy_in_front_says(tmp_path):
    made = of_run(tmp_path, BEHIND_PROXY="1")
    text = (made.folder / "shop-locations.conf").read_text()

    assert "X-Forwarded-Proto $scheme" not in text
    assert text.count("X-Forwarded-Proto $http_x_forwarded_proto;") == 2


@pytest.fixture(params=["", "/store/eu"], ids=["root", "under a path"])
def front(request, tmp_path) -> Iterator[str]:
    """The address of a shop whose nginx runs, and none of its processes."""
    port = free_port()
    url = f"http://localhost:{port}{request.param}"
    made = of_run(tmp_path, PORT=str(port), DOMAIN_NAME=url)
    words = ["-p", str(made.folder), "-c", "nginx.conf", "-e", "logs/error.log"]
    process = subprocess.Popen([nginx.program(), *words])
    try:
        wait_until(lambda: listens(port), "nginx", SOON_S)
        yield url
    finally:
        process.terminate()
        process.wait(SOON_S)


@pytest.mark.parametrize(
    "at, body, cookie, status, told",
    [
        ("/", bytes(2 * 2**20), "", 413, "That file is too large"),
        ("/users/profile/", bytes(7 * 2**20), "", 413, "choose a smaller file"),
        ("/products/", None, "x" * 17_000, 431, "Your browser sends too many cookies"),
        ("/products/", None, "", 503, "the shop is not available right now"),
        ("/ws/", None, "", 503, "the shop is not available right now"),
    ],
)
def test_pages_of_nginx_itself_look_like_the_shops_and_need_nothing(
    front, at, body, cookie, status, told
):
    request = urllib.request.Request(f"{front}{at}", body, {"Cookie": cookie})

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=SOON_S)

    with refused.value as answer:
        text = answer.read().decode()
    assert (answer.code, answer.headers["Content-Type"]) == (status, "text/html")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Retry-After"] == ("10" if status == 503 else None)
    assert text.startswith("<!doctype html><html lang=en><meta charset=utf-8>")
    assert told in text and "prefers-color-scheme:dark" in text
    assert "nginx" not in text and not re.search(r"src=|@import|url\(|<script", text)
    # A page that came for too many cookies would only come again.
    home = [] if status == 431 else [f"{urlsplit(front).path}/"]
    assert re.findall(r"href='([^']*)'", text) == home


def test_nothing_of_an_earlier_run_is_left(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pages.1.lock").symlink_to(str(os.getpid()))

    made = of_run(tmp_path)

    assert not (made.folder / "pages.1.lock").is_symlink()


def test_name_of_a_socket_is_no_longer_than_that_of_postgresql():
    """The folder is chosen so that PostgreSQL's fits."""
    kinds = nginx.split(nginx.MOST_PROCESSES)

    for kind, count in kinds.items():
        assert len(f"/web/{kind}.{count}") <= len("/.s.PGSQL.5432")
