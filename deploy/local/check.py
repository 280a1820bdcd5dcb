"""Every check that is no test, all of them even when one fails: `make check`."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PYTHON = sys.executable
ROOT = Path(__file__).resolve().parents[2]
# What production would set: `check --deploy` must have nothing to say about it.
PRODUCTION = {
    "DEBUG": "0",
    "ALLOWED_HOSTS": "shop.example",
    "DOMAIN_NAME": "https://shop.example",
    "INSECURE_COOKIES": "0",
    "SERVE_MEDIA": "0",
}
MANAGE = [PYTHON, "-W", "error", "manage.py"]
TEMPLATES = sorted(map(str, (ROOT / "templates").rglob("*.html")))
DJADE = [str(Path(PYTHON).with_name("djade")), "--target-version", "5.2"]
# Its rule against spreads cannot know that we copy lists which change under the loop.
OXLINT = ["--deny-warnings", "--allow", "unicorn/no-useless-spread", "static/js"]
CHECKS = [
    ("flake8", [PYTHON, "-m", "flake8"], {}),
    ("mypy", [PYTHON, "-m", "mypy"], {}),
    ("isort", [PYTHON, "-m", "isort", "--check", "--quiet", "."], {}),
    ("black", [PYTHON, "-m", "black", "--check", "."], {}),
    ("djade", [*DJADE, "--check", *TEMPLATES], {}),
    ("oxlint", [str(Path(PYTHON).with_name("oxlint")), *OXLINT], {}),
    ("migrations", [*MANAGE, "makemigrations", "--check", "--dry-run", "-v1"], {}),
    ("deploy", [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"], PRODUCTION),
]


def run(check: tuple[str, list[str], dict[str, str]]) -> str:
    """Run one check. Return what it says if it fails, else an empty string."""
    name, command, extra = check
    process = subprocess.run(
        command,
        env=os.environ | extra,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if process.returncode:
        return process.stdout.rstrip() or f"make format mends it ({name})"
    return ""


def main() -> int:
    """Return 0 if every check passes. They run at once, on all processors."""
    is_bad = False
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, *_), complaint in zip(CHECKS, pool.map(run, CHECKS)):
            print(f"check {name}: {'FAILED' if complaint else 'ok'}", flush=True)
            if complaint:
                is_bad = True
                print(complaint, flush=True)
    return 1 if is_bad else 0


if __name__ == "__main__":
    sys.exit(main())
