"""What the Docker image holds of the repository."""

import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy" / "docker"
TOOLS = [
    "products/demo",
    "products/fixtures",
    "products/management/commands/demo.py",
    "realtime/loadtest",
    "realtime/management/commands/loadtest.py",
]
IMPORT_EVERYTHING = """
import importlib, pathlib
import django
django.setup()
for package in ("project", "products", "users", "realtime"):
    for path in sorted(pathlib.Path(package).rglob("*.py")):
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        if not name.endswith("__main__"):
            importlib.import_module(name)
            print(name)
"""


def ignore_rules() -> list[tuple[str, bool]]:
    """(pattern, whether it brings files back) for each rule, in their order."""
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    return [(rule.removeprefix("!"), rule.startswith("!")) for rule in rules]


def matches(path: PurePosixPath, pattern: str) -> bool:
    """Whether a pattern names exactly this path."""
    if pattern.startswith("**/"):
        return fnmatchcase(path.name, pattern.removeprefix("**/"))
    names = pattern.split("/")
    return len(names) == len(path.parts) and all(map(fnmatchcase, path.parts, names))


def is_sent_to_docker(path: PurePosixPath) -> bool:
    """Whether the last rule that matches a path, or a folder above it, keeps it."""
    is_sent = True
    for pattern, brings_back in ignore_rules():
        if any(matches(place, pattern) for place in (path, *path.parents)):
            is_sent = brings_back
    return is_sent


def copied_paths() -> list[str]:
    """The sources of the Dockerfile's COPY lines."""
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    return [source for sources in copies for source in sources]


def files_of_image() -> Iterator[PurePosixPath]:
    for source in copied_paths():
        place = ROOT / source
        files = [place] if place.is_file() else place.rglob("*")
        for file in files:
            path = PurePosixPath(file.relative_to(ROOT).as_posix())
            if file.is_file() and is_sent_to_docker(path):
                yield path


@pytest.fixture(scope="module")
def image(tmp_path_factory) -> Path:
    """A folder with the files that the image has."""
    folder = tmp_path_factory.mktemp("image")
    for path in files_of_image():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    return folder


def run(image: Path, *words: str) -> str:
    """Run Python in the image's folder, as its build does, and return its output."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "SHOP_LOCAL_DIR": str(image / "local"),
        "STATIC_ROOT": str(image / "static_root"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    dockerfile = (DOCKER / "Dockerfile").read_text()
    environment |= dict(re.findall(r"((?:DATABASE|REDIS)_URL)=(\S+)", dockerfile))
    command = [sys.executable, *words]
    done = subprocess.run(
        command, cwd=image, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_image_has_the_code_of_production(image):
    for path in ["manage.py", "products/models.py", "realtime/server/__main__.py"]:
        assert (image / path).is_file()
    assert not (image / "tests").exists()


@pytest.mark.parametrize("path", TOOLS)
def test_image_has_no_demo_and_no_load_test(image, path):
    assert (ROOT / path).exists()  # the premise
    assert not (image / path).exists()


def test_build_collects_static_files(image):
    run(image, "manage.py", "collectstatic", "--noinput", "-v0")

    assert (image / "static_root" / "staticfiles.json").is_file()


def test_image_passes_checks_without_its_tools(image):
    assert "no issues" in run(image, "manage.py", "check")


def test_every_module_of_the_image_can_be_imported(image):
    modules = run(image, "-c", IMPORT_EVERYTHING).split()

    assert {"project.asgi", "project.celery", "realtime.server.server"} <= set(modules)
    assert not [name for name in modules if "demo" in name or "loadtest" in name]


def test_image_offers_no_command_of_its_tools(image):
    commands = run(image, "manage.py", "help", "--commands").split()

    assert "reconcile" in commands
    assert not {"demo", "loadtest"} & set(commands)
