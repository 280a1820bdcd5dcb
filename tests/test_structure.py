"""The shape of the repository: who may import whom, and what lies where.

The rules are the picture in CONTRIBUTING.md, "Decisions"; to change one, change both.
"""

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
OURS = ("project", "products", "realtime", "users")

# Whoever is not named here by itself follows the rule of the package it is in.
PAGES = [
    "products.caching",
    "products.cards",
    "products.columns",
    "products.context_processors",
    "products.exceptions",
    "products.forms",
    "products.live",
    "products.models",
    "products.moves",
    "products.payments",
    "products.services",
    "products.shells",
    "products.templatetags",
    "products.thumbnails",
    "products.viewers",
    "products.views",
    "project.redirects",
    "project.spreadsheets",
    "project.address_forms",
    "project.email_addresses",
    "project.email_fields",
    "project.edits",
    "project.modeladmin",
    "project.pictures",
    "project.personal",
    "project.phones",
    "project.postal",
    "project.views",
    "project.widgets",
]
RULES: dict[str, list[str]] = {
    "project": [*OURS],
    "project.redirects": [],
    "project.address_forms": ["project.phones", "project.postal"],
    "project.email_addresses": [],
    "project.email_fields": ["project.email_addresses"],
    "project.decoder": [],
    "project.edits": [],
    "project.modeladmin": [],
    "project.pictures": [],
    "project.second_factors": [],
    "project.personal": [],
    "project.phones": [],
    "project.replicas": [],
    "project.postal": [],
    "project.sessions": [],
    "project.spreadsheets": [],
    "project.transactions": [],
    "project.unused_files": ["project.models"],
    "project.views": [],
    "project.widgets": [],
    # A leaf each: pages of the admin, pictures, where forms may lead, e-mail addresses,
    # what a session has proven, sessions, views in a transaction, stored files, page
    # mixins, fields of forms, "this account has changed".
    "users": [
        "users",
        "project.edits",
        "project.modeladmin",
        "project.pictures",
        "project.redirects",
        "project.address_forms",
        "project.email_addresses",
        "project.email_fields",
        "project.second_factors",
        "project.personal",
        "project.phones",
        "project.postal",
        "project.sessions",
        "project.transactions",
        "project.unused_files",
        "project.views",
        "project.widgets",
        "realtime.addresses",
        "realtime.publish",
    ],
    "realtime": ["realtime"],
    "realtime.addresses": [],
    "realtime.consumers": ["realtime", "products.live"],
    "realtime.hub": ["realtime", "products.live"],
    "realtime.masks": [],
    "realtime.outages": [],
    "realtime.publish": ["realtime.outages", "realtime.request_ids"],
    "realtime.request_ids": [],
    "realtime.visitors": ["realtime", "products.live"],
    "products": PAGES,
    "products.apps": [*PAGES, "products.signals"],
    "products.admin": [*PAGES, "products.admin_import"],
    "products.admin_import": [*PAGES, "products.importing"],
    "products.caching": ["project.replicas"],
    "products.demo": [*PAGES, "products.demo"],
    "products.columns": ["products.models"],
    "products.exceptions": [],
    "products.importing": [
        "products.importing",
        "products.models",
        "products.services",
    ],
    "products.invalidation": [
        "products.caching",
        "products.models",
        "project.celery",
    ],
    "products.live": [
        "products.columns",
        "products.models",
        "products.moves",
        "products.viewers",
        "products.vitals",
        "realtime.publish",
        "realtime.pulse",
    ],
    "products.management": [*PAGES, "products.demo", "products.importing"],
    "products.models": [
        "products.models",
        "project.email_fields",
        "project.phones",
        "products.thumbnails",
    ],
    "products.services": [
        "products.caching",
        "products.exceptions",
        "products.invalidation",
        "products.live",
        "products.models",
        "products.emails",
        "products.payments",
        "products.services",
        "products.thumbnails",
        "project.celery",
    ],
    "products.moves": ["products.columns", "products.models"],
    "products.payments": [
        "products.exceptions",
        "products.models",
        "products.payments",
    ],
    # What the shop keeps of a person, and the mails it says so in.
    "products.services.limits": [
        "products.exceptions",
        "products.live",
        "products.models",
        "products.services",
        "project.email_addresses",
    ],
    "products.services.people": [
        "products.emails",
        "products.models",
        "products.services",
        "project.personal",
    ],
    "products.shells": [],
    "products.sitemaps": ["products.models"],
    "products.tasks": [
        "products.invalidation",
        "products.models",
        "products.services",
    ],
    "products.emails": ["products.exceptions", "products.models", "project.views"],
    # "Save this address" is a rule of the accounts: so many, one of them the usual.
    "products.views.checkout": [*PAGES, "users.addresses"],
    "products.views.visitors": [*PAGES, "realtime.addresses"],  # one notion of them
    "products.views.pulse": [*PAGES, "realtime.pulse"],  # and ask other processes
    "products.thumbnails": ["project.pictures", "project.unused_files"],
    "products.urls": ["products.views", "project.replicas"],
    "products.vitals": ["realtime.pulse"],  # staff look at the live core
    "products.viewers": ["project.second_factors", "project.sessions"],
}

TOP = {
    *("manage.py", "project", "products", "users", "realtime"),
    *("templates", "static", "deploy", "tests"),
    *("requirements.txt", "README.md", "CONTRIBUTING.md", "LICENSE", "CHANGELOG.md"),
    "SECURITY.md",
    *("Makefile", "pyproject.toml", ".flake8", ".gitignore", ".ci"),
    *(".editorconfig", ".pre-commit-config.yaml", ".github"),
}


# --- Imports ----------------------------------------------------------------------


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def rule_of(module: str) -> str:
    """The name of the rule that `module` follows: the most special one."""
    return max((name for name in RULES if is_in(module, name)), key=len)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(module: str, source: str) -> Iterator[tuple[int, str]]:
    """(line, module of ours) for each import, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                found = [alias.name for alias in node.names]
            case ast.ImportFrom():
                origin = node.module or ""
                if node.level:
                    parents = module.split(".")[: -node.level]
                    origin = ".".join([*parents, *filter(None, [origin])])
                names = [f"{origin}.{alias.name}" for alias in node.names]
                found = [name if is_module(name) else origin for name in names]
            case _:
                continue
        for name in found:
            if name.split(".")[0] in OURS:
                yield node.lineno, name


def trespasses(module: str, source: str) -> list[str]:
    """A line for each import that the rules don't allow."""
    rule = rule_of(module)
    allowed = RULES[rule]
    return [
        f"{module}, line {line}, imports {name};"
        f" {rule} may import {', '.join(allowed) or 'nothing of ours'}."
        for line, name in imports(module, source)
        if not any(is_in(name, package) for package in allowed)
    ]


def modules() -> Iterator[tuple[str, Path]]:
    for package in OURS:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if "migrations" not in parts:
                yield ".".join(parts).removesuffix(".__init__"), path


def test_imports_of_every_module_go_one_way():
    found = [
        line
        for module, path in modules()
        for line in trespasses(module, path.read_text())
    ]

    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "module, source",
    [
        ("products.models.stock", "from products.services import stock"),
        ("products.models.stock", "from users.models import User"),
        ("products.models.stock", "from ..services import stock"),
        ("products.live", "from products.services import basket"),
        ("products.services.stock", "from realtime.publish import publish"),
        ("products.services.stock", "import realtime.hub"),
        ("products.services.stock", "from products.views import basket"),
        ("products.views.basket", "from products.tasks import check_books"),
        ("products.views.basket", "def f():\n    from realtime.publish import publish"),
        ("products.admin", "from users.models import User"),
        ("realtime.publish", "from products import live"),
        ("realtime.publish", "from realtime.hub import Hub"),
        ("realtime.hub", "from products.models import Stock"),
        ("realtime.protocol", "from products import live"),
        ("realtime.consumers", "from products.services import basket"),
        ("realtime.consumers", "import products.models as m"),
        ("users.views", "from products.services import basket"),
        ("users.views", "from project import settings"),
        ("project.views", "from products.models import Product"),
    ],
)
def test_import_against_the_rules_is_found(module, source):
    """The positive control: the checker sees what it is there for."""
    (line,) = trespasses(module, source)

    assert line.startswith(f"{module}, line ")
    assert " may import " in line


@pytest.mark.parametrize(
    "module, source",
    [
        ("project.urls", "from products.sitemaps import SITEMAPS"),
        ("products.views.basket", "from project.views import TitleMixin"),
        ("products.services.stock", "from products import live"),
        ("products.live", "from realtime.publish import publish"),
        ("realtime.hub", "from products import live\nfrom realtime import protocol"),
        ("products.models.stock", "from django.conf import settings"),
        ("products.models.stock", "import projectile, usersettings"),
    ],
)
def test_import_within_the_rules_is_not_found(module, source):
    assert trespasses(module, source) == []


# --- PostgreSQL -------------------------------------------------------------------

# Behind a pooler in transaction mode the next transaction has another session, so
# nothing may be left in one.
OF_A_SESSION = {
    r"\bpg_(try_)?advisory_(lock|unlock)": "take pg_advisory_xact_lock",
    r"(\A|;)\s*SET\s+(?!LOCAL\b|CONSTRAINTS\b|TRANSACTION\b)": "write SET LOCAL",
    r"\bset_config\([^)]*,\s*(false|%s)\s*\)": "make it local: true",
    r"(\A|;)\s*(UN)?LISTEN\b": "Redis tells of changes",
    r"(\A|;)\s*(PREPARE|EXECUTE|DEALLOCATE|DISCARD|LOAD|RESET)\s": "leave it out",
    r"\bCREATE\s+((GLOBAL|LOCAL)\s+)?TEMP(ORARY)?\b(?![^;]*ON\s+COMMIT\s+DROP)": (
        "add ON COMMIT DROP"
    ),
    r"\bWITH\s+HOLD\b": "read it in one transaction",
}


def left_in_a_session(source: str) -> list[str]:
    """A line for each text that would leave something in a session of PostgreSQL."""
    tree = ast.parse(source)
    texts = [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [
        f"line {line}: {text.strip().splitlines()[0]!r}; {advice}."
        for line, text in texts
        for pattern, advice in OF_A_SESSION.items()
        if re.search(pattern, text)
    ]


def test_nothing_is_left_in_a_session_of_postgresql():
    found = [
        f"{module}, {line}"
        for module, path in modules()
        for line in left_in_a_session(path.read_text())
    ]

    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_advisory_lock(%s)",
        "SELECT pg_try_advisory_lock_shared(1, 2)",
        "SET statement_timeout = 5",
        "SELECT 1; SET SESSION work_mem = '1MB'",
        "SELECT set_config('shop.user', %s, false)",
        "LISTEN orders",
        "PREPARE claim AS SELECT 1",
        "CREATE TEMP TABLE wanted (pk bigint)",
        "CREATE TEMPORARY TABLE wanted (pk bigint) ON COMMIT DELETE ROWS",
        "DECLARE rows CURSOR WITH HOLD FOR SELECT 1",
    ],
)
def test_statement_that_leaves_something_in_a_session_is_found(statement):
    """The positive control."""
    assert left_in_a_session(f"def f():\n    run({statement!r})")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_advisory_xact_lock(%s, %s)",
        "SET LOCAL statement_timeout = 5",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "UPDATE products_stock\nSET reserved = 0",
        "SELECT set_config('shop.user', %s, true)",
        "CREATE TEMP TABLE wanted (pk bigint) ON COMMIT DROP",
    ],
)
def test_statement_of_one_transaction_is_not_found(statement):
    assert left_in_a_session(f"run({statement!r})") == []


# --- Files ------------------------------------------------------------------------


def at_the_top() -> set[str]:
    """Names at the top that git knows or would take; without git, those that are there
    but for what `.gitignore` names."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    if shutil.which("git"):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            return {line.strip('"').split("/")[0] for line in done.stdout.splitlines()}
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text().split()}
    return {path.name for path in ROOT.iterdir()} - ignored - {".git"}


def test_top_of_the_repository_holds_only_what_the_design_names():
    assert at_the_top() - TOP == set()


def test_ci_runs_the_tests_on_every_python_that_the_makefile_names():
    low, high = re.search(
        r"Python 3\.(\d+) to 3\.(\d+)", (ROOT / "Makefile").read_text()
    ).groups()
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())

    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]

    assert matrix == [f"3.{minor}" for minor in range(int(low), int(high) + 1)]


@pytest.mark.parametrize("app", ["products", "project", "users"])
def test_migrations_of_an_app_are_one_clean_start(app):
    files = {path.name for path in (ROOT / app / "migrations").glob("*.py")}

    assert files == {"__init__.py", "0001_initial.py"}
