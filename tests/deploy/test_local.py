"""`up.py` as people use it: real processes, a folder of its own, no mock."""

import fcntl
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import commands
import env_file
import folders
import install
import machine
import notes
import processes
import pytest
import servers

ROOT = Path(__file__).resolve().parent.parent.parent
UP = [sys.executable, str(ROOT / "deploy" / "local" / "up.py"), "--here"]


@pytest.fixture
def local(tmp_path):
    """A folder for servers of the test's own; whatever still runs there is stopped."""
    with a_folder(tmp_path) as folder:
        yield folder


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """The same for tests that leave it as they found it: with data, and stopped. (To
    make the data takes longer than to start.)"""
    with a_folder(tmp_path_factory.mktemp("used")) as folder:
        yield folder


@contextmanager
def a_folder(parent: Path) -> Iterator[Path]:
    folder = parent / "local"
    folder.mkdir()
    yield folder
    subprocess.run([*UP, "stop"], env=environment(folder), capture_output=True)
    servers.Servers(folder).remove()


@pytest.fixture(autouse=True)
def without_urls(monkeypatch):
    for name in ("DATABASE_URL", "REDIS_URL", "PORT", "HOST"):
        monkeypatch.delenv(name, raising=False)


@contextmanager
def held_lock(path: Path) -> Iterator[int]:
    """Another program holds the lock meanwhile, as a running shop does."""
    with open(path, "a+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield os.getpid()


def environment(local: Path, **more: str) -> dict[str, str]:
    return os.environ | {"SHOP_LOCAL_DIR": str(local)} | more


def up(local: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*UP, *words],
        env=environment(local, **more),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def start(local: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*UP, *words],
        env=environment(local, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], *numbers: int) -> str:
    """Signals the process, waits for its end. Out: what it printed."""
    for number in numbers:
        process.send_signal(number)
    return process.communicate(timeout=30)[0]


# --- exec -------------------------------------------------------------------------


def test_a_signal_that_comes_while_the_command_starts_reaches_it(monkeypatch):
    started = subprocess.Popen

    def start_late(*arguments, **options) -> subprocess.Popen:
        process = started(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(commands.subprocess, "Popen", start_late)

    assert commands.child(["sleep", "60"], dict(os.environ)) == 128 + signal.SIGTERM


@pytest.mark.parametrize("code", [0, 7])
def test_exec_gives_the_commands_exit_code(used, code):
    assert up(used, "exec", "sh", "-c", f"exit {code}").returncode == code


def test_exec_says_what_cannot_be_run(used):
    done = up(used, "exec", "no-such-command")
    assert (done.returncode, done.stdout) == (
        1,
        "no-such-command: No such file or directory\n",
    )


def test_exec_gives_real_servers_and_stops_them_after(used):
    script = """
import os, psycopg2, redis
with psycopg2.connect(os.environ["DATABASE_URL"]) as database:
    with database.cursor() as cursor:
        cursor.execute("SHOW listen_addresses")
        print("listens on", repr(cursor.fetchone()[0]))
        cursor.execute("SHOW fsync")
        print("fsync", cursor.fetchone()[0])
client = redis.Redis.from_url(os.environ["REDIS_URL"])
print("port", client.config_get("port")["port"], client.ping())
"""
    done = up(used, "exec", "python", "-c", script)
    assert done.stdout == "listens on ''\nfsync on\nport 0 True\n", done.stderr
    here = servers.Servers(used)
    assert (here.postgres.pid, here.redis.pid) == (0, 0)


@pytest.mark.parametrize("words, is_kept", [([], False), (["--test"], True)])
def test_tests_keep_compiled_modules_whatever_the_environment_says(
    local, words, is_kept
):
    script = "import sys; print(not sys.dont_write_bytecode)"
    urls = {"DATABASE_URL": "postgres://h/d", "REDIS_URL": "redis://h/0"}

    done = up(
        local,
        *[*words, "exec", "python", "-c", script],
        **{"PYTHONDONTWRITEBYTECODE": "1", **urls},
    )

    assert done.stdout == f"{is_kept}\n", done.stderr


def test_the_data_stays_and_so_does_the_secret_key(used):
    script = """
import os, psycopg2
database = psycopg2.connect(os.environ["DATABASE_URL"])
cursor = database.cursor()
cursor.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
cursor.execute("INSERT INTO kept VALUES (1)")
cursor.execute("SELECT sum(n) FROM kept")
database.commit()
print(cursor.fetchone()[0], os.environ["SECRET_KEY"])
"""
    first = up(used, "exec", "python", "-c", script).stdout.split()
    second = up(used, "exec", "python", "-c", script).stdout.split()
    assert [first[0], second[0]] == ["1", "2"]
    assert first[1] == second[1] and len(first[1]) >= 50


def test_the_env_file_is_for_its_owner_only_and_names_the_servers(used):
    (used / "env").unlink(missing_ok=True)
    assert up(used, "exec", "true").returncode == 0
    assert stat.S_IMODE((used / "env").stat().st_mode) == 0o600
    text = (used / "env").read_text()
    assert "\nREDIS_URL=unix:///" in text and text.startswith("DATABASE_URL=postgres:")


@pytest.mark.parametrize("umask", [0o022, 0, 0o777])
def test_folders_with_secrets_are_for_their_owner_only(tmp_path, umask):
    """Those that were there before, too."""
    wide = tmp_path / "redis"
    wide.mkdir()
    wide.chmod(0o777)
    before = os.umask(umask)
    try:
        for _ in range(2):
            servers.Servers(tmp_path)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "redis").stat().st_mode) == 0o700


def test_redis_keeps_its_data_where_its_owner_alone_gets_to(used):
    (used / "redis").chmod(0o755)

    assert up(used, "exec", "true").returncode == 0

    assert stat.S_IMODE((used / "redis").stat().st_mode) == 0o700


def test_a_url_of_ones_own_is_used_and_that_server_not_started(used):
    url = "redis://127.0.0.1:1/0"
    here = servers.Servers(used)
    long = start(
        used, "exec", "sh", "-c", 'echo "$REDIS_URL"; exec sleep 60', REDIS_URL=url
    )
    assert long.stdout and long.stdout.readline() == f"{url}\n"
    pids = here.postgres.pid, here.redis.pid
    finish(long, signal.SIGTERM)
    assert pids[0] and not pids[1]


def test_two_commands_share_servers_and_the_last_one_stops_them(used):
    here = servers.Servers(used)
    long = start(used, "exec", "sh", "-c", "echo up; exec sleep 60")
    assert long.stdout and long.stdout.readline() == "up\n"
    mode = stat.S_IMODE(here.sockets.stat().st_mode)
    pids = here.postgres.pid, here.redis.pid
    assert up(used, "exec", "true").returncode == 0
    assert all(pids) and (here.postgres.pid, here.redis.pid) == pids
    finish(long, signal.SIGTERM)
    assert long.returncode == 128 + signal.SIGTERM
    assert (here.postgres.pid, here.redis.pid) == (0, 0)
    assert mode == 0o700, "sockets are for their owner only"


def test_restart_gives_another_process_and_its_user_goes_on(used):
    here = servers.Servers(used)
    long = start(used, "exec", "sh", "-c", "echo up; exec sleep 60")
    assert long.stdout and long.stdout.readline() == "up\n"
    before = here.redis.pid
    assert up(used, "restart", "redis").stdout == "Redis: stopped.\nRedis: started.\n"
    assert here.redis.answers and here.redis.pid != before
    assert long.poll() is None
    finish(long, signal.SIGTERM)


# --- After a kill -----------------------------------------------------------------


def test_servers_that_a_killed_run_left_are_taken_over(used):
    here = servers.Servers(used)
    long = start(used, "exec", "sh", "-c", "echo $$; exec sleep 60")
    sleeper = int(long.stdout.readline())
    left = here.postgres.pid, here.redis.pid
    long.kill()
    os.kill(sleeper, signal.SIGKILL)
    long.communicate()
    assert all(left) and (here.postgres.pid, here.redis.pid) == left
    assert up(used, "exec", "true").returncode == 0
    assert (here.postgres.pid, here.redis.pid) == (0, 0)  # its last user stopped them


def test_killed_servers_start_again(used):
    here = servers.Servers(used)
    long = start(used, "exec", "sh", "-c", "echo $$; exec sleep 60")
    sleeper = int(long.stdout.readline())
    for pid in (here.postgres.pid, here.redis.pid, long.pid, sleeper):
        os.kill(pid, signal.SIGKILL)
    long.communicate()
    assert (here.postgres.data / "postmaster.pid").exists()
    done = up(used, "exec", "sh", "-c", "exit 5")
    assert done.returncode == 5, done.stdout


def test_a_pid_file_that_names_a_strangers_process_is_no_obstacle(used):
    assert up(used, "exec", "true").returncode == 0
    here = servers.Servers(used)
    # This very test, as after a restart of a container: PostgreSQL would refuse.
    text = f"{os.getpid()}\n{here.postgres.data}\n1\n5432\n{here.sockets}\n\n"
    pid_file = here.postgres.data / "postmaster.pid"
    pid_file.write_text(text)
    (here.redis.home / "pid").write_text(str(os.getpid()))
    here.redis.socket.touch()
    done = up(used, "exec", "sh", "-c", "exit 6")
    assert done.returncode == 6, done.stdout


def test_left_over_processes_are_ended_but_only_those_of_the_note(tmp_path):
    words = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = subprocess.Popen(words, start_new_session=True)
    other = subprocess.Popen(words, start_new_session=True)
    note = tmp_path / "run.json"
    notes.write_note(note, "http://localhost:1", [ours.pid, other.pid])
    said = json.loads(note.read_text())
    said["processes"][1][1] = "at another time"  # the number was given again
    note.write_text(json.dumps(said))
    try:
        assert notes.end_left_overs(note) == 1
        assert ours.wait(timeout=10) == -signal.SIGTERM
        assert other.poll() is None
        assert not note.exists()
    finally:
        other.kill()
        other.wait()


def test_stop_ends_what_was_left(used):
    long = start(used, "exec", "sh", "-c", "echo $$; exec sleep 60")
    sleeper = int(long.stdout.readline())
    long.kill()
    os.kill(sleeper, signal.SIGKILL)
    long.communicate()
    assert up(used, "status").returncode == 0
    assert up(used, "stop").stdout == "Redis: stopped.\nPostgreSQL: stopped.\n"
    assert up(used, "status").returncode == 3


# --- run --------------------------------------------------------------------------


def test_a_port_in_use_is_one_line_before_anything_else(local):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = up(local, "run", PORT=str(port))
    line = f"Port {port} is in use. Choose another: make run PORT={port + 1}\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, line, "")
    assert not (local / "postgres").exists()


@pytest.mark.parametrize("port", ["0", "65536", "http", "8000x", "-1"])
def test_what_is_no_port_is_refused(local, port):
    done = up(local, "run", PORT=port)
    line = f"PORT={port} is not a port. Try: make run PORT=8001\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, line, "")


def test_an_address_of_another_machine_is_refused(local):
    done = up(local, "run", HOST="192.0.2.1")
    line = "HOST=192.0.2.1 is not an address of this machine.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, line, "")


def test_a_second_run_says_where_the_first_one_is(local):
    notes.write_note(local / "run.json", "http://localhost:8123", [])
    with open(local / "run.lock", "a+") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        done = up(local, "run")
    line = "The shop is already running at http://localhost:8123/\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, line, "")


def test_a_lock_goes_with_its_holder_though_a_child_lives_on(tmp_path):
    script = (
        "import os, sys, time; from pathlib import Path; from machine import Lock\n"
        "lock = Lock(Path(sys.argv[1])); lock.take()\n"
        "child = os.fork()\n"
        "if child: print(child, flush=True)\n"
        "time.sleep(60)"
    )
    path = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "deploy" / "local")},
    )
    child = int(holder.stdout.readline())
    try:
        assert not machine.Lock(path).take()
        holder.kill()
        holder.wait()
        assert machine.Lock(path).take()
    finally:
        os.kill(child, signal.SIGKILL)
        holder.stdout.close()


def test_exec_joins_a_running_shop_with_what_it_was_told(used):
    variables = {
        "DATABASE_URL": "postgres://u:p$q@127.0.0.1:1/shop",
        "DOMAIN_NAME": "http://a",
    }
    variables |= {
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "EMAIL_HOST_PASSWORD": '"it\'s\\n"',
    }
    env_file.write(used / "env", variables)
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    with held_lock(used / "run.lock"):
        done = up(used, "exec", "python", "-c", script, DOMAIN_NAME="http://b")
    seen = json.loads(done.stdout)

    assert {name: seen[name] for name in variables} == variables | {
        "DOMAIN_NAME": "http://b"
    }
    assert (
        env_file.read(used / "env") == variables
    ), "the running shop's file is left alone"


def test_exec_beside_no_shop_ignores_what_the_last_one_was_told(used):
    env_file.write(used / "env", {"DATABASE_URL": "postgres://u@127.0.0.1:1/shop"})

    done = up(used, "exec", "sh", "-c", 'echo "$DATABASE_URL"')

    assert "127.0.0.1:1" not in done.stdout


def test_env_file_holds_every_setting_that_the_shop_was_given():
    given = {"STRIPE_SECRET_KEY": "sk", "DATABASE_URL": "x", "HOME": "/root"}

    assert env_file.settings_of(given) == {
        "DATABASE_URL": "x",
        "STRIPE_SECRET_KEY": "sk",
    }


def test_stop_ends_a_shop_that_could_not_write_its_note(used):
    script = (
        "import sys, time; from pathlib import Path; from machine import Lock\n"
        "lock = Lock(Path(sys.argv[1])); print(lock.take(), flush=True); time.sleep(60)"
    )
    shop = subprocess.Popen(
        [sys.executable, "-c", script, str(used / "run.lock")],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT / "deploy" / "local")},
    )
    assert shop.stdout.readline() == b"True\n"
    (used / "run.json").unlink(missing_ok=True)

    done = up(used, "stop")

    assert shop.wait(10) == -signal.SIGTERM
    assert (done.returncode, done.stdout) == (0, "The shop: stopped.\n")
    shop.stdout.close()


def test_note_on_a_full_disk_is_not_written_and_stops_nobody(tmp_path):
    (tmp_path / "run.half").symlink_to("/dev/full")

    assert not notes.write_note(tmp_path / "run.json", "http://localhost:1", [])


def test_lock_names_its_holder(tmp_path):
    path = tmp_path / "lock"
    assert machine.Lock(path).holder() == 0
    script = (
        "import sys; from pathlib import Path; from machine import Lock\n"
        "print(Lock(Path(sys.argv[1])).holder())"
    )
    with held_lock(path) as pid:
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)],
            env=os.environ | {"PYTHONPATH": str(ROOT / "deploy" / "local")},
            capture_output=True,
            text=True,
        )
    assert done.stdout == f"{pid}\n"


@pytest.mark.parametrize("command", ["run", "status", "stop", "clean"])
def test_files_of_another_user_are_left_alone_in_one_line(local, command):
    # Root's are at hand for an ordinary user, and root can make some of another user.
    if os.geteuid() == 0:
        os.chown(local, 65534, 65534)
    else:
        local = Path("/")
    owner = machine.user_name(local.stat().st_uid)

    done = up(local, command)

    line = f"{local} belongs to {owner}. Run this as {owner}, or use a checkout of"
    line += " your own."
    assert (done.returncode, done.stdout, done.stderr) == (1, line + "\n", "")
    if os.geteuid() == 0:
        assert list(local.iterdir()) == []
        os.chown(local, 0, 0)


def test_a_folder_that_cannot_be_written_is_one_line():
    done = up(Path("/sys/shop"), "exec", "true")

    assert done.returncode == 1 and done.stderr == ""
    assert re.fullmatch(r"Cannot write /sys/shop: [\w ]+\.\n", done.stdout)


@pytest.mark.parametrize("is_ours", [True, False])
def test_shop_is_ready_when_its_own_server_says_so(tmp_path, is_ours):
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"process": os.getpid()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = {"web": server.server_address}
        shop = processes.Shop(tmp_path / "note", "", address, str)
        web = os.getpgid(os.getpid()) if is_ours else os.getpgid(os.getpid()) + 1
        shop._processes["web"] = {"pid": web}
        try:
            assert shop._is_ready() == is_ours
        finally:
            shop.events.close()
            server.shutdown()


# --- Paths ------------------------------------------------------------------------


def test_sockets_lie_in_the_folder_when_it_is_short(tmp_path):
    assert len(str(tmp_path)) < 80
    assert folders.socket_folder(tmp_path, os.geteuid()) == tmp_path / "run"


@pytest.mark.parametrize("name", ["d" * 100, "with space", "ünï", "a$b", '"', "`id`"])
def test_sockets_of_a_deep_or_odd_folder_lie_elsewhere(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    place = folders.socket_folder(folder, os.geteuid())
    assert folders.key(folder) in place.name
    assert len(str(place / ".s.PGSQL.5432")) <= 103
    assert place != folders.socket_folder(folder.parent / "other", os.geteuid())


@pytest.mark.parametrize("name", ["deep folder/" * 10, '$HOME "quoted" `id` ;'])
def test_servers_run_in_a_deep_folder_with_odd_names(tmp_path, name):
    local = tmp_path / name
    local.mkdir(parents=True)
    try:
        done = up(local, "exec", "sh", "-c", "exit 3")
        assert done.returncode == 3, done.stdout
    finally:
        servers.Servers(local).remove()


def test_private_folder_is_left_private(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    local = private / "local"
    local.mkdir()
    here = servers.Servers(local)
    try:
        assert up(local, "exec", "sh", "-c", "exit 4").returncode == 4
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        # Root's PostgreSQL is another account, which cannot enter the folder.
        is_elsewhere = here.postgres.home.is_relative_to("/var/lib")
        assert is_elsewhere == (os.geteuid() == 0)
        assert here.postgres.data.is_dir()
    finally:
        here.remove()
    left = Path("/var/lib") / f"shop-{folders.key(local)}"
    assert not left.exists()


# --- Install ----------------------------------------------------------------------


@pytest.fixture
def venv(tmp_path, monkeypatch):
    """A .venv that counts as whole and complete, without a single package."""
    folder = tmp_path / ".venv"
    monkeypatch.setattr(install, "VENV", folder)
    monkeypatch.setattr(install, "PYTHON", folder / "bin" / "python")
    monkeypatch.setattr(install, "UNFINISHED", folder / "unfinished")
    command = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(command, check=True)
    (folder / "made-at").write_text(str(folder))
    (folder / "stamp-run").write_text(install._hash(False))
    return folder


def test_a_complete_install_is_left_alone_and_costs_nothing(venv):
    begun = time.monotonic()
    install.ensure()
    assert time.monotonic() - begun < 0.5
    assert not install._is_done(tests=True)


@pytest.mark.parametrize(
    "harm",
    [
        lambda venv: (venv / "unfinished").touch(),
        lambda venv: (venv / "stamp-run").unlink(),
        lambda venv: (venv / "stamp-run").write_text("older requirements"),
        lambda venv: [path.unlink() for path in (venv / "bin").glob("python*")],
        lambda venv: (venv / "made-at").write_text("/elsewhere/.venv"),
        lambda venv: (venv / "pyvenv.cfg").write_text("version = 3.10.1"),
    ],
    ids=["unfinished", "no-stamp", "changed", "no-python", "moved", "other-python"],
)
def test_an_install_that_is_not_whole_is_seen(venv, harm):
    assert install._is_done(tests=False)
    harm(venv)
    assert not install._is_done(tests=False)


def test_every_direct_requirement_is_pinned_as_in_the_constraints():
    locked = set(install.CONSTRAINTS.read_text().split())
    for path in install.TESTS:
        for line in path.read_text().splitlines():
            requirement = line.partition("#")[0].partition(";")[0].strip()
            if requirement.startswith("-r "):
                assert (path.parent / requirement[3:]).resolve() in install.TESTS
                continue
            pin = re.sub(r"\[.*\]", "", requirement)  # extras are no versions
            assert not pin or pin in locked, (path, requirement)


# --- Makefile ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["postgres://u:p$a$$b@h/d", "a b", "#'\"`id`", "$(shell id)"]
)
def test_make_passes_words_on_as_they_stand(url):
    rule = "show: ; printenv DATABASE_URL"
    # These tests may run in a make themselves, which passes its own flags on.
    env = {n: v for n, v in os.environ.items() if n not in ("MAKEFLAGS", "MAKELEVEL")}
    words = ["make", f"--eval={rule}", "show", f"DATABASE_URL={url}"]

    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True)

    assert done.stdout == url + "\n", done.stderr


def test_make_help_names_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True)
    phony = next(
        line
        for line in (ROOT / "Makefile").read_text().splitlines()
        if line.startswith(".PHONY")
    )
    for target in phony.split()[1:]:
        assert f"  make {target} " in done.stdout
    assert {"run", "test", "check", "format", "shell", "help"} <= set(phony.split())
