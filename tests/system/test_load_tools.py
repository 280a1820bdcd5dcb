"""The scripts for those who have a load tool of their own, each run once."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from products.models import Product
from tests.support.factories import make_category, make_variant
from tests.support.servers import Shop

SCRIPTS = Path(__file__).resolve().parent.parent / "load"
LIMIT_S = 300


@pytest.fixture
def variants(transactional_db) -> list[Product]:
    category = make_category()
    return [make_variant(on_hand=50, category=category) for _ in range(4)]


@pytest.fixture
def server(variants, daphne) -> Shop:
    return daphne


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_locust_user_times_pushes_from_the_change(server, tmp_path):
    options = ["--headless", "-u", "5", "-r", "5", "-t", "60s"]
    options += ["--json-file", "out"]
    script = ["-f", str(SCRIPTS / "locustfile.py"), "--host", server.url]

    command = [sys.executable, "-m", "locust", *script, *options]

    said = run(command, tmp_path, PUSHES="6")

    results = json.loads((tmp_path / "out.json").read_text())
    rows = {row["name"]: row for row in results}
    assert rows["open"]["num_requests"] >= 1, said
    assert rows["push"]["num_requests"] >= 6, said
    assert rows["push"]["min_response_time"] > 0.1
    assert not any(row["num_failures"] for row in results), said


def test_k6_script_times_pushes_from_the_change(server, tmp_path):
    script = str(SCRIPTS / "k6.js")
    program = Path(sys.executable).with_name("k6")
    k6 = str(program) if program.exists() else shutil.which("k6")
    summary = ["--summary-export", "summary.json", "--quiet", "--no-usage-report"]
    values = {
        "P99": "60000",
        "URL": server.url,
        "SECONDS": "200",
        "PUSHES": "3",
        "VUS": "2",
    }

    said = run([k6, "run", *summary, script], tmp_path, **values)

    metrics = json.loads((tmp_path / "summary.json").read_text())["metrics"]
    assert metrics["pushes"]["count"] == 6, said
    assert metrics["push_ms"]["min"] > 0, said
    assert metrics["checks"]["fails"] == 0, said
