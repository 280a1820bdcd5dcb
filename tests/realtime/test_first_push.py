"""The first push of a process loads nothing that a later push would not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from products.live import viewers
from products.live.registry import registry
from tests.support.drops import make_drop
from tests.support.factories import (
    make_full_basket,
    make_order,
    make_user,
    make_variant,
    make_variants,
)
from tests.support.servers import database_url

# A push, as the hub makes it, in a process that has done nothing yet but start.
PUSH = """
import json, sys
import project.asgi
from django.conf import settings
from products.live.registry import registry

keys, read = json.loads(sys.argv[1]), []

def note(event, arguments):
    if event in ("open", "import"):
        read.append(f"{event} {arguments[0]}")

registry.load(keys)  # as for the first socket
sys.addaudithook(note)
states = registry.load(keys)
for key in keys:
    for language, name in settings.LANGUAGES:
        registry.render(key, states[key], language)
print(json.dumps(read))
"""


STATIC = Path(__file__).resolve().parents[2] / "static"


@pytest.fixture
def static_root(tmp_path) -> Path:
    """A folder with a manifest of static files, as in production."""
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    names = [path.relative_to(STATIC).as_posix() for path in files]
    manifest = {"version": "1.1", "paths": dict(zip(names, names, strict=True))}
    (tmp_path / "staticfiles.json").write_text(json.dumps(manifest))
    return tmp_path


@pytest.fixture
def keys(transactional_db) -> list[str]:
    """The key of one topic of each kind, each with a state that is not empty."""
    low = make_variant(on_hand=1)
    owner = viewers.Owner(user_id=make_user().pk)
    make_full_basket(owner, make_variants(2))
    identifiers = {
        "stock": low.pk,
        "shelf": low.pk,
        "drop": make_drop().pk,
        "order": make_order().access_token,
    }
    keys = []
    for name, kind in registry.kinds.items():
        of = owner.key if kind.access.personal else identifiers.get(name, "")
        keys.append(f"{name}:{of}")
    return keys


def test_first_push_of_any_kind_reads_no_file_and_imports_nothing(keys, static_root):
    environment = {"DATABASE_URL": database_url(), "STATIC_ROOT": str(static_root)}
    done = subprocess.run(
        [sys.executable, "-c", PUSH, json.dumps(keys)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
