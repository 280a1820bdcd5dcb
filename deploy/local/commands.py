"""The commands of up.py: run, exec, restart, status, stop, install, browser, clean."""

import argparse
import errno
import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import browser
import env_file
import install
import nginx
import redis_program
from machine import (
    Lock,
    Problem,
    asked_address,
    end,
    names_of_this_machine,
    port_is_free,
    processors,
    say,
    url_of,
    user_name,
)
from notes import end_left_overs, read_note
from servers import Servers

ROOT = install.ROOT
HERE = Path(__file__).resolve().parent


# Errors that a person can fix: a full or read-only disk, another account's folder.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class Stopped(Exception):
    """A signal has asked us to stop. Its argument is the number of the signal."""


def main() -> int:
    """Run the command of the arguments. Return the exit code."""
    arguments = parse(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup keeps its meaning
            signal.signal(number, stop_now)
    os.chdir(ROOT)
    try:
        refuse_other_owners(instance(arguments))
        return arguments.command(arguments)
    except Problem as problem:
        say(f"{problem}")
        return 1
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        say(f"Cannot write {error.filename or 'a file'}: {error.strerror}.")
        return 1
    except Stopped as stopped:
        say("Stopped.")
        return 128 + stopped.args[0]


def refuse_other_owners(local: Path) -> None:
    """Raise Problem if the files here belong to another account.

    Root could use them, but their owner could not use what root writes there.
    """
    for folder in (local, install.VENV):
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            owner = user_name(folder.stat().st_uid)
            raise Problem(
                f"{folder} belongs to {owner}. Run this as {owner}, or use a checkout"
                " of your own."
            )


def stop_now(number: int, _frame: object) -> None:
    """Stop everything. Ignore further signals, which would interrupt the stopping."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Stopped(number)


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="up.py")
    parser.add_argument("--test", action="store_true", help="servers for tests")
    parser.add_argument("--here", action="store_true", help="this Python, no install")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, function in COMMANDS.items():
        sub = commands.add_parser(name, help=function.__doc__, add_help=name != "exec")
        sub.set_defaults(command=function)
        if name == "exec":
            sub.add_argument("words", nargs=argparse.REMAINDER, metavar="CMD")
        if name == "restart":
            sub.add_argument("server", choices=("postgres", "redis"))
            sub.add_argument("--pause", type=float, default=0, metavar="SECONDS")
    return parser.parse_args(words)


def instance(arguments: argparse.Namespace) -> Path:
    """Return the folder of this checkout's servers, or the one in SHOP_LOCAL_DIR."""
    local = Path(os.environ.get("SHOP_LOCAL_DIR") or ROOT / ".local")
    return local / "test" if arguments.test else local


def into_venv(arguments: argparse.Namespace) -> None:
    """Continue in the Python of .venv, which is created if need be."""
    if arguments.here:
        return
    install.ensure(tests=arguments.test)
    if arguments.test or not os.environ.get("REDIS_URL"):  # tests start their own
        redis_program.ensure()
    words = [str(install.PYTHON), str(HERE / "up.py"), "--here", *sys.argv[1:]]
    os.execv(words[0], words)


def environment(servers: Servers, *, joined: bool = False) -> dict[str, str]:
    """Return the environment of every command. Variables that the caller has set stay.

    The shop's settings are also written to the instance's file `env`, which settings.py
    reads, unless the command has `joined` a running shop, which has written that file.
    """
    written = servers.local / "env"
    host, port = asked_address()
    own = {
        "SECRET_KEY": kept_secret(written),
        "DOMAIN_NAME": url_of(host, port),
        "INSECURE_COOKIES": "1",  # plain http on a developer's machine
        "SERVE_MEDIA": "1",
        "MEDIA_ROOT": str(servers.local / "media"),
        "STATIC_ROOT": str(servers.local / "static"),
    }
    env = own | {name: v for name, v in os.environ.items() if v} | servers.urls
    if not joined:
        env_file.write(written, {**servers.urls, **own, **env_file.settings_of(env)})
    folders = [str(Path(sys.executable).parent)]
    if servers.postgres in servers.own:  # psql, pg_dump and pg_restore of its version
        folders.append(str(servers.postgres.tools))
    path = os.pathsep.join([*folders, env.get("PATH", os.defpath)])
    return env | {"PATH": path, "SHOP_LOCAL_DIR": str(servers.local)}


def kept_secret(written: Path) -> str:
    """Return the secret key of the last run: a new one would sign everybody out."""
    return env_file.read(written).get("SECRET_KEY") or secrets.token_urlsafe(50)


def join_running_shop(arguments: argparse.Namespace) -> bool:
    """Take over the settings of a running shop, so that a second terminal works with
    the same servers and settings. Variables that are set here win.

    Return whether a shop runs. Tests have their own servers and never join a shop.
    """
    local = instance(arguments)
    if arguments.test or not Lock(local / "run.lock").holder():
        return False
    for name, value in env_file.read(local / "env").items():
        if not os.environ.get(name):
            os.environ[name] = value
    return True


# --- Commands ---------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> int:
    """runs everything in one terminal"""
    local = instance(arguments)
    lock, note = Lock(local / "run.lock"), local / "run.json"
    count = asked_servers()
    if not lock.take():
        url = read_note(note).get("url")
        raise Problem(f"The shop is already running at {url}/" if url else STARTING)
    host, port = asked_address()
    left = end_left_overs(note)
    if left:
        say(f"The last run was killed. Ended the {left} processes that it left behind.")
    if not port_is_free(host, port):
        raise Problem(
            f"Port {port} is in use. Choose another: make run PORT={port + 1}"
        )
    into_venv(arguments)
    servers = Servers(local)
    env = environment_of_run(servers, host, port)
    with servers.up():
        code = child([sys.executable, str(HERE / "prepare.py")], env)
        if not code:
            from processes import together  # needs what was installed above

            code = together(servers, env, note, count)
    say("Everything is stopped.")
    return code


STARTING = "Another make run is starting in this folder."


def environment_of_run(servers: Servers, host: str, port: int) -> dict[str, str]:
    """Return the environment of the shop's processes."""
    env = environment(servers) | {"HOST": host, "PORT": str(port)}
    env["ADDRESS"] = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    env["PYTHON"] = sys.executable
    if os.geteuid() == 0:  # Celery warns of root; this is a developer's machine
        env["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser"
    if host in ("0.0.0.0", "::"):
        names = ["localhost", "127.0.0.1", "[::1]", *names_of_this_machine()]
        env.setdefault("ALLOWED_HOSTS", ",".join(names))
    return env


def asked_servers() -> int:
    """Return the number of server processes, from the variable WEB. Raises Problem if
    WEB is not such a number."""
    text = os.environ.get("WEB") or ""
    most = nginx.MOST_PROCESSES
    if not text:
        return min(nginx.USUAL_PROCESSES, processors())
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= most):
        raise Problem(
            f"WEB={text} is not a number from 1 to {most}. Try: make run WEB=2"
        )
    return int(text)


def execute(arguments: argparse.Namespace) -> int:
    """runs any command with the servers: a running shop's, or started for it"""
    if not arguments.words:
        raise Problem("Give a command: up.py exec CMD …")
    joined = join_running_shop(arguments)
    into_venv(arguments)
    servers = Servers(instance(arguments), durable=not arguments.test)
    env = environment(servers, joined=joined)
    if arguments.test:  # tests start the shop hundreds of times: keep compiled files
        env.pop("PYTHONDONTWRITEBYTECODE", None)
    with servers.up(quiet=True):
        return child(arguments.words, env)


def child(words: list[str], env: dict[str, str]) -> int:
    """Run a command and wait for it. Return its exit code, as a shell would.

    A terminal sends Ctrl-C to the command too, which may continue (a shell does).
    Other signals are passed on.
    """
    before = {}
    process: subprocess.Popen[bytes] | None = None
    early = []  # signals that came while the command was being started

    def pass_on(number: int, _frame: object) -> None:
        if process is None:
            early.append(number)
        elif number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, pass_on)
    try:
        process = subprocess.Popen(words, env=env)
        for number in early:
            pass_on(number, None)
        code = process.wait()
    except OSError as error:
        raise Problem(f"{words[0]}: {error.strerror}") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def restart(arguments: argparse.Namespace) -> int:
    """restarts one server under a running shop"""
    join_running_shop(arguments)
    into_venv(arguments)
    Servers(instance(arguments)).restart(arguments.server, arguments.pause)
    return 0


def status(arguments: argparse.Namespace) -> int:
    """shows what is running here (exit code 3 if nothing is)"""
    running = join_running_shop(arguments)
    local = instance(arguments)
    note = read_note(local / "run.json")
    say(f"shop        {note.get('url', 'starting') if running else 'not running'}")
    for name, pid in note.get("named", {}).items() if running else ():
        say(f"{name:12}process {pid}")
    for server in Servers(local).own:
        pid = server.pid
        say(f"{server.label:12}{f'process {pid}' if pid else 'not running'}")
        running = running or bool(pid)
    return 0 if running else 3


def stop(arguments: argparse.Namespace) -> int:
    """stops the shop, or the processes that a killed one left behind"""
    local = instance(arguments)
    lock, note = Lock(local / "run.lock"), local / "run.json"
    if pid := lock.holder():
        end(pid, seconds=20)
        say("The shop: stopped.")
    if end_left_overs(note):
        say("The processes that a killed run left behind: stopped.")
    for name in Servers(local).stop():
        say(f"{name}: stopped.")
    return 0


def only_install(arguments: argparse.Namespace) -> int:
    """creates .venv, or brings it up to date"""
    install.ensure(tests=arguments.test)
    return 0


def find_browser(arguments: argparse.Namespace) -> int:
    """makes sure that there is a Chromium for the browser tests"""
    browser.ensure()
    return 0


def clean(arguments: argparse.Namespace) -> int:
    """removes .venv and .local with all data"""
    say("Removing .venv and .local: packages, database, pictures.")
    stop(arguments)
    local = instance(arguments)
    for each in (local / "test", local):
        if each.exists():
            servers = Servers(each)
            servers.stop()
            servers.remove()
    shutil.rmtree(local, ignore_errors=True)
    shutil.rmtree(install.VENV, ignore_errors=True)
    return 0


COMMANDS = {
    "run": run,
    "exec": execute,
    "restart": restart,
    "status": status,
    "stop": stop,
    "install": only_install,
    "browser": find_browser,
    "clean": clean,
}
