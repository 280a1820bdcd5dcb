#!/usr/bin/env python3
"""Start and test the shop on a fresh Debian: `fresh_machine.py trixie`.

Makes the system with debootstrap in a folder, with nothing but Python, venv, make and
git. In it, as root and as an ordinary user, a clone of this checkout's last commit
opens with `make run` and passes `make test` without the browser tests.

Needs root, debootstrap, and about 4 GB in the folder. Ends with 1 if anything failed.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = "python3,python3-venv,make,git,ca-certificates,tzdata"
PORT = 8765
START_S = 300
# What reaches the package index on this machine does so in there.
PASSED_ON = ("PIP_", "UV_", "SSL_CERT_", "http_proxy", "https_proxy", "no_proxy")
OPENED = "The shop is open"


class Machine:
    """A Debian in a folder. In: its suite, and the folder."""

    def __init__(self, suite: str, folder: Path) -> None:
        self.suite, self.root = suite, folder / suite

    def make(self) -> None:
        if (self.root / "usr/bin/git").exists():
            return
        scripts = Path("/usr/share/debootstrap/scripts")
        # An older debootstrap does not know the newest names; all are made like sid.
        script = [] if (scripts / self.suite).exists() else [str(scripts / "sid")]
        mirror = [debian_mirror()] if script or debian_mirror() else []
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}"]
        run([*command, self.suite, str(self.root), *mirror, *script])
        self._prepare()

    def _prepare(self) -> None:
        run(["chroot", str(self.root), "useradd", "--create-home", "ann"])
        certificates = os.environ.get("SSL_CERT_FILE", "")
        if certificates:
            place = self.root / certificates.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(certificates, place)
        for name in ("resolv.conf", "hosts"):
            shutil.copy(Path("/etc", name), self.root / "etc" / name)

    def mount(self) -> None:
        for kind, name in (("proc", "proc"), ("sysfs", "sys")):
            run(["mount", "-t", kind, kind, str(self.root / name)])
        run(["mount", "--rbind", "--make-rslave", "/dev", str(self.root / "dev")])

    def unmount(self) -> None:
        for name in ("dev", "sys", "proc"):
            subprocess.run(["umount", "-l", str(self.root / name)])

    def clone(self, user: str) -> str:
        """Return where the clone lies in the machine."""
        home = "/root" if user == "root" else f"/home/{user}"
        place = self.root / home.lstrip("/") / "shop"
        shutil.rmtree(place, ignore_errors=True)
        for data in self.root.glob("var/lib/shop-*"):  # of root's shop, an earlier one
            shutil.rmtree(data)
        run(["git", "clone", "--quiet", f"file://{ROOT}", str(place)])
        self.inside("root", f"chown -R {user}: {home}")
        return f"{home}/shop"

    def inside(self, user: str, script: str) -> None:
        run(self.command(user, script))

    def command(self, user: str, script: str) -> list[str]:
        """Return the words that run a shell script in there as the user."""
        home = "/root" if user == "root" else f"/home/{user}"
        env = {"HOME": home, "USER": user, "LANG": "C.UTF-8", "PATH": os.defpath}
        env["PATH"] += ":/usr/local/bin:/usr/sbin:/sbin"
        env |= {n: v for n, v in os.environ.items() if n.startswith(PASSED_ON)}
        words = [f"{name}={value}" for name, value in env.items()]
        enter = ["chroot", f"--userspec={user}", str(self.root)]
        return [*enter, "env", "-i", *words, "sh", "-ec", script]


def debian_mirror() -> str:
    """Return where this machine gets its Debian packages."""
    for path in sorted(Path("/etc/apt").glob("sources.list*")):
        files = [path] if path.is_file() else sorted(path.iterdir())
        for file in files:
            for word in file.read_text().split():
                if word.startswith("http") and word.rstrip("/").endswith("/debian"):
                    return word
    return ""


def run(command: list[str]) -> None:
    print("+", " ".join(command[:6]), flush=True)
    subprocess.run(command, check=True)


def check_run(machine: Machine, user: str, folder: str) -> str:
    """Open the shop and fetch its front page. Returns what happened."""
    script = f"cd {folder} && exec make run PORT={PORT}"
    begun, log = time.monotonic(), []
    with subprocess.Popen(
        machine.command(user, script), stdout=subprocess.PIPE, text=True
    ) as shop:
        signal.alarm(START_S)
        for line in shop.stdout:
            log.append(line)
            if OPENED in line:
                break
        signal.alarm(0)
        took = time.monotonic() - begun
        is_open = OPENED in "".join(log) and is_answered(machine, user)
        subprocess.run(machine.command(user, f"cd {folder} && make stop"))
        log += shop.stdout.readlines()
    if not is_open:
        print("".join(log[-40:]))
        return "FAILED"
    return f"open after {took:.0f} s"


def is_answered(machine: Machine, user: str) -> bool:
    """Return whether the list of products comes."""
    page = f"http://127.0.0.1:{PORT}/products/"
    fetch = f"import urllib.request as r; r.urlopen('{page}').read()"
    return not subprocess.run(machine.command(user, f'python3 -c "{fetch}"')).returncode


def check_tests(machine: Machine, user: str, folder: str, arguments: str) -> str:
    script = f'cd {folder} && make test BROWSER=0 ARGS="{arguments}" </dev/null'
    begun = time.monotonic()
    done = subprocess.run(machine.command(user, script))
    took = time.monotonic() - begun
    return f"passed in {took:.0f} s" if done.returncode == 0 else "FAILED"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suites", nargs="+", metavar="SUITE")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp/shop-fresh"))
    parser.add_argument("--users", nargs="+", default=["root", "ann"])
    parser.add_argument("--tests", default="", help="what make test gets as ARGS")
    parser.add_argument("--only-run", action="store_true")
    arguments = parser.parse_args()
    if os.geteuid():
        parser.error("debootstrap needs root.")
    results = {}
    for suite in arguments.suites:
        machine = Machine(suite, arguments.folder)
        machine.make()
        machine.mount()
        try:
            for user in arguments.users:
                folder = machine.clone(user)
                results[suite, user, "run"] = check_run(machine, user, folder)
                if not arguments.only_run:
                    outcome = check_tests(machine, user, folder, arguments.tests)
                    results[suite, user, "test"] = outcome
        finally:
            machine.unmount()
    for (suite, user, what), outcome in results.items():
        print(f"{suite:10} {user:6} make {what:5} {outcome}")
    return 1 if "FAILED" in results.values() else 0


if __name__ == "__main__":
    sys.exit(main())
