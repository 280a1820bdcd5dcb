"""The shape of the repository: who may import whom, and what lies where.

It also checks the form of the decisions.
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

# A module that is not named here follows the rule of the package it is in. A star
# stands for one name: "products.*.models" are the models of every domain.
MODELS = ["products.models", "products.*.models"]
EXCEPTIONS = ["products.exceptions", "products.*.exceptions"]
SERVICES = [
    "products.emails",
    "products.personal",
    "products.*.emails",
    "products.*.services",
    "products.basket.holds",
    "products.basket.reading",
    "products.basket.renewals",
    "products.catalogue.options",
    "products.catalogue.books",
    "products.catalogue.pictures",
    "products.drops.admission",
    "products.drops.books",
    "products.drops.gates",
    "products.drops.steps",
    "products.fetching.web",
    "products.importing.batches",
    "products.importing.wanted",
    "products.orders.claims",
    "products.orders.limits",
    "products.orders.packing",
    "products.orders.placing",
    "products.orders.preorders",
    "products.orders.terms",
    "products.payments.disputes",
    "products.payments.interface",
    "products.payments.providers",
    "products.payments.refunds",
    "products.payments.restores",
    "products.payments.settling",
    "products.payments.stripe",
    "products.payments.stripe_events",
    "products.payments.webhooks",
    "products.pricing.baskets",
    "products.pricing.clock",
    "products.pricing.discount_books",
    "products.pricing.discount_flips",
    "products.pricing.discounts",
    "products.pricing.flips",
    "products.pricing.guesses",
    "products.pricing.history",
    "products.pricing.reach",
    "products.pricing.rules",
    "products.pricing.rule_flips",
    "products.pricing.sales",
    "products.pricing.tax",
    "products.pricing.uses",
    "products.search.options",
    "products.shipping.defaults",
    "products.shipping.prices",
    "products.stock.alerts",
    "products.stock.backorders",
    "products.stock.books",
    "products.vat.provider",
]
# What may be done with an order or a payment: tables of constants.
STATES = [
    "products.drops.states",
    "products.orders.machine",
    "products.orders.on_hold",
    "products.orders.states",
    "products.payments.states",
]
# Rules of the shop. They push what they change, and say what is out of date.
FROM_SERVICES = [
    *MODELS,
    *EXCEPTIONS,
    *SERVICES,
    *STATES,
    "products.catalogue.galleries",
    "products.catalogue.offers",
    "products.catalogue.thumbnails",
    "products.live.push",
    "products.live.viewers",
    "products.pagecache.caching",
    "products.pagecache.invalidation",
    "products.pricing.reductions",
    "products.search.queries",
    "products.shipping.offers",
    "products.shipping.postcodes",
    "project.celery",
    "project.prepared",
]
# Pages and forms. They never push.
PAGES = [
    *MODELS,
    *EXCEPTIONS,
    *SERVICES,
    *STATES,
    "products.*.forms",
    "products.*.views",
    "products.basket.merged",
    "products.catalogue.chooser",
    "products.catalogue.choices",
    "products.catalogue.filters",
    "products.catalogue.galleries",
    "products.catalogue.offers",
    "products.catalogue.structured",
    "products.catalogue.thumbnails",
    "products.catalogue.uploads",
    "products.context_processors",
    "products.drops.shown",
    "products.live.baskets",
    "products.live.registry",
    "products.live.viewers",
    "products.orders.checkout",
    "products.orders.numbers",
    "products.orders.shown",
    "products.orders.visitors",
    "products.pagecache",
    "products.shipping.offers",
    "products.shipping.postcodes",
    "products.staff",
    "products.sweeps.admin",
    "products.templatetags",
    "products.variants.grid",
    "project.http.redirects",
    "project.spreadsheets",
    "project.address_forms",
    "project.mail.addresses",
    "project.mail.fields",
    "project.edits",
    "project.modeladmin",
    "project.pictures",
    "project.personal",
    "project.phones",
    "project.postal",
    "project.views",
    "project.primary",
    "project.widgets",
    "users.requests",
]
RULES: dict[str, list[str]] = {
    "project": [*OURS],
    "project.http.redirects": [],
    "project.address_forms": ["project.phones", "project.postal"],
    "project.mail.addresses": [],
    "project.mail.fields": ["project.mail.addresses"],
    "project.constraints": [],
    "project.decoder": [],
    "project.edits": ["project.edits"],
    "project.modeladmin": [],
    "project.pictures": [],
    "project.second_factors": [],
    "project.personal": [],
    "project.phones": [],
    "project.replicas": ["project.replicas"],
    "project.postal": [],
    "project.primary": ["project.postgresql"],
    "project.sessions": [],
    "project.spreadsheets": [],
    "project.transactions": [],
    "project.unused_files": ["project.models"],
    "project.views": [],
    "project.widgets": [],
    # A leaf each: pages of the admin, pictures, where forms may lead, email addresses,
    # what a session has proven, sessions, views in a transaction, stored files, page
    # mixins, fields of forms, "this account has changed".
    "users": [
        "users",
        "project.edits",
        "project.modeladmin",
        "project.pictures",
        "project.http.redirects",
        "project.address_forms",
        "project.mail.addresses",
        "project.mail.fields",
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
    # A library in all but name: `realtime.registry` is all that it knows of the shop.
    "realtime": ["realtime"],
    "realtime.addresses": ["realtime.asgi"],
    "realtime.asgi": [],
    "realtime.masks": [],
    "realtime.outages": [],
    "realtime.publish": [
        "realtime.outages",
        "realtime.request_ids",
        "realtime.sending",
    ],
    "realtime.registry": ["realtime.protocol"],
    "realtime.request_ids": [],
    "realtime.responses": ["realtime.asgi"],
    "realtime.sending": [],
    "users.settings": ["project.base_settings"],
    "products": PAGES,
    "products.settings": ["project.base_settings", "project.mail.addresses"],
    "products.admin": ["products.*.admin"],
    "products.apps": ["products.signals"],
    "products.demo": [*PAGES, "products.demo"],
    "products.drops.states": [],
    "products.exceptions": [],
    "products.emails": [*EXCEPTIONS, "project.mail.facts"],
    "products.management": [*PAGES, "products.demo", "products.importing"],
    "products.models": ["products.*.models"],
    "products.personal": [*FROM_SERVICES, "project.personal"],
    "products.tasks": [
        *MODELS,
        *SERVICES,
        "products.pagecache.invalidation",
        "project.celery",
    ],
    "products.urls": [
        "products.*.views",
        "products.orders.checkout",
        "project.replicas",
    ],
    "products.*.admin": [*PAGES, "products.*.admin"],
    "products.*.emails": [
        *MODELS,
        *EXCEPTIONS,
        *STATES,
        "products.emails",
        "products.pricing.baskets",
        "project.postal",
        "project.views",
    ],
    "products.*.exceptions": ["products.exceptions"],
    "products.*.models": [
        "products.*.models",
        *STATES,
        "products.catalogue.offers",
        "products.catalogue.thumbnails",
        "products.orders.numbers",
        "products.search.folding",
        "products.search.queries",
        "products.search.vectors",
        "project.constraints",
        "project.mail.fields",
        "project.phones",
    ],
    **dict.fromkeys(
        [name for name in SERVICES if name.count(".") == 2 and "emails" not in name],
        FROM_SERVICES,
    ),
    "products.catalogue.galleries": [*MODELS, "products.catalogue.offers"],
    "products.catalogue.offers": ["products.pricing.models"],
    "products.catalogue.thumbnails": ["project.pictures", "project.unused_files"],
    "products.fetching.services": [*FROM_SERVICES, "project.views"],
    "products.importing": [
        "products.importing",
        "project.spreadsheets",
        *MODELS,
        *EXCEPTIONS,
        *SERVICES,
    ],
    "products.importing.exporting": [
        "products.importing",
        *MODELS,
        "project.spreadsheets",
        "project.views",
    ],
    "products.importing.admin": [
        *PAGES,
        "products.fetching.admin",
        "products.importing",
        "project.database_storage",
    ],
    "products.live": [
        *MODELS,
        "products.basket.reading",
        "products.live",
        "products.pricing.baskets",
        "products.pricing.discounts",
        "products.pricing.rules",
        "products.pricing.tax",
        "products.shipping.offers",
        "products.shipping.services",
        "products.staff.columns",
        "products.staff.moves",
        "products.staff.vitals",
        "project.primary",
        "realtime.pulse",
        "realtime.registry",
    ],
    # Pure: plain values in, plain values out.
    "products.pricing": ["products.pricing"],
    "products.pricing.quote": [],
    "products.pricing.baskets": [*MODELS, "products.pricing"],
    "products.pricing.clock": [],
    "products.basket.reading": [
        *MODELS,
        "products.live.viewers",
        "project.prepared",
    ],
    "products.pricing.discounts": [
        *MODELS,
        "products.pricing.baskets",
        "products.pricing.reach",
        "products.pricing.rules",
    ],
    "products.pricing.forms": MODELS,
    "products.pricing.history": [],
    "products.pricing.reach": MODELS,
    "products.pricing.rules": [],
    "products.pricing.tax": [*MODELS, "products.pricing.rules"],
    # Pure too.
    "products.shipping.offers": ["products.shipping.postcodes"],
    "products.shipping.postcodes": ["project.postal"],
    # The one door: nothing else of the shop publishes.
    "products.live.push": [
        *MODELS,
        "products.catalogue.offers",
        "products.live",
        "realtime.publish",
        "realtime.registry",
    ],
    "products.live.registry": [
        "products.live",
        "project.primary",
        "realtime.protocol",
        "realtime.registry",
    ],
    "products.live.viewers": [
        "project.second_factors",
        "project.sessions",
        "realtime.protocol",
        "realtime.registry",
    ],
    # "Save this address" is a rule of the accounts: so many, one of them the usual.
    "products.orders.checkout": [*PAGES, "users.addresses"],
    "products.orders.machine": [],
    "products.orders.on_hold": ["products.orders.machine", "products.orders.states"],
    "products.orders.states": ["products.orders.machine"],
    # There is one definition of an email address.
    "products.orders.limits": [*FROM_SERVICES, "project.mail.addresses"],
    "products.orders.visitors": [*PAGES, "realtime.addresses"],
    "products.pagecache.caching": ["project.replicas"],
    "products.pagecache.early": ["products.pagecache", "realtime.responses"],
    "products.pagecache.invalidation": [
        *MODELS,
        "products.pagecache.caching",
        "project.celery",
    ],
    "products.pagecache.shells": [],
    # Providers know rows, not rules.
    "products.payments.states": [
        "products.orders.machine",
        "products.orders.on_hold",
        "products.orders.states",
    ],
    "products.payments.interface": [*MODELS, "products.payments"],
    "products.payments.providers": [*MODELS, *EXCEPTIONS, "products.payments"],
    "products.payments.stripe": [*MODELS, "products.payments"],
    "products.payments.stripe_events": [*MODELS, "products.payments"],
    "products.search.folding": [],
    "products.search.queries": ["products.search.folding", "products.search.vectors"],
    "products.search.vectors": ["products.search.folding"],
    "products.staff.columns": [*MODELS, *STATES],
    "products.staff.moves": [*MODELS, "products.staff.columns", "project.primary"],
    "products.staff.pulse": [*PAGES, "realtime.pulse"],  # and ask other processes
    "products.staff.vitals": ["realtime.pulse"],  # staff look at the live core
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
    """Whether `module` is `package` or is inside it."""
    names, wanted = module.split("."), package.split(".")
    return len(names) >= len(wanted) and all(
        want in ("*", name) for name, want in zip(names, wanted)
    )


def rule_of(module: str) -> str:
    """The name of the rule that `module` follows: the most special one."""
    found = [name for name in RULES if is_in(module, name)]
    return max(found, key=lambda name: (name.count("."), -name.count("*")))


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
        ("products.stock.models", "from products.stock import services"),
        ("products.stock.models", "from users.models import User"),
        ("products.stock.models", "from .services import claim"),
        ("products.live", "from products.basket import services"),
        ("products.stock.services", "from realtime.publish import publish"),
        ("products.stock.services", "import realtime.hub"),
        ("products.stock.services", "from products.basket import views"),
        ("products.basket.views", "from products.tasks import check_books"),
        ("products.basket.views", "def f():\n    from realtime.publish import publish"),
        ("products.basket.models", "from products.models import Stock"),
        ("products.basket.views", "from products.live import push"),
        ("products.live.kinds", "from realtime.publish import publish"),
        ("products.live.kinds", "from realtime.hub import get_hub"),
        ("products.search.models", "from products.search import services"),
        ("products.admin", "from users.models import User"),
        ("realtime.publish", "from products import live"),
        ("realtime.publish", "from realtime.hub import Hub"),
        ("realtime.registry", "from realtime.hub import get_hub"),
        ("realtime.hub", "from products.models import Stock"),
        ("realtime.hub.loading", "from products.live.registry import registry"),
        ("realtime.hub.viewers", "from users.models import Session"),
        ("realtime.protocol", "from products import live"),
        ("realtime.consumers", "from project import sessions"),
        ("realtime.consumers.consumer", "import products.models as m"),
        ("users.views", "from products.basket import services"),
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
        ("project.urls", "from products.catalogue.sitemaps import SITEMAPS"),
        ("products.basket.views", "from project.views import TitleMixin"),
        ("products.stock.services", "from products.live import push"),
        ("products.live.push", "from realtime.publish import publish"),
        ("realtime.hub.topics", "from realtime.registry import Registry"),
        ("products.stock.models", "from django.conf import settings"),
        ("products.stock.models", "import projectile, usersettings"),
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


# --- Documents --------------------------------------------------------------------

RECORDS = sorted(ROOT.glob("*/decisions/[0-9]*.md"), key=lambda path: path.name)
SECTIONS = ["Context", "Decision", "Figures", "Consequences"]


def faults_of_record(name: str, text: str) -> list[str]:
    """A line for each way in which a decision does not have the form of the others."""
    lines, number = text.splitlines(), name[:4]
    faults = []
    if not re.fullmatch(rf"# {number}\. \S.*", lines[0]):
        faults.append(f"the first line is not '# {number}. A title'")
    if not re.fullmatch(r"- Status: (accepted|superseded by \d{4})", lines[2]):
        faults.append("the status is neither accepted nor superseded by a number")
    if not re.fullmatch(r"- Date: \d{4}-\d\d-\d\d", lines[3]):
        faults.append("there is no date")
    if re.findall(r"^## (.*)$", text, re.M) != SECTIONS:
        faults.append(f"the sections are not {', '.join(SECTIONS)}")
    if not 15 <= len(lines) <= 40:
        faults.append(f"it has {len(lines)} lines, not 15 to 40")
    return [f"{name}: {fault}" for fault in faults]


def test_decisions_have_one_form():
    faults = [
        fault
        for path in RECORDS
        for fault in faults_of_record(path.name, path.read_text())
    ]

    assert not faults, "\n" + "\n".join(faults)


RECORD = """# 0007. Do this

- Status: accepted
- Date: 2026-11-28

## Context

This.

## Decision

That.

## Figures

5 ms.

## Consequences

- None.
"""


@pytest.mark.parametrize(
    "old, new",
    [
        ("# 0007.", "# 0008."),
        ("accepted", "superseded by something"),
        ("- Date: 2026-11-28", "- Date: yesterday"),
        ("## Figures\n\n5 ms.\n\n", ""),
        ("This.", "This.\n" * 30),
    ],
)
def test_fault_of_a_decision_is_found(old, new):
    """The positive control."""
    assert faults_of_record("0007-do-this.md", RECORD) == []

    assert faults_of_record("0007-do-this.md", RECORD.replace(old, new))


def test_decisions_are_numbered_without_a_gap_and_indexed():
    numbers = [int(path.name[:4]) for path in RECORDS]
    index = (ROOT / "project/decisions/README.md").read_text()
    rows = re.findall(r"^- \[(\d{4})\]\(([^)]+)\) (.*)$", index, re.M)

    assert numbers == list(range(1, len(RECORDS) + 1))
    for path, (number, link, title) in zip(RECORDS, rows, strict=True):
        heading, _, status, *_ = path.read_text().splitlines()
        if "superseded" in status:
            assert int(status[-4:]) in numbers
            heading += f" ({status.removeprefix('- Status: ')})"
        assert heading == f"# {number}. {title}"
        assert (ROOT / "project/decisions" / link).resolve() == path


# What is in backticks and looks like a file or a folder of this repository.
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*(\.(py|md|html|js|css|yaml|conf|toml|txt)|/)")


def paths_in(text: str) -> set[str]:
    """The paths that `text` names in backticks, commands included."""
    spans = re.findall(r"`([^`\n]+)`", text)
    words = {word.rstrip(",;:") for span in spans for word in span.split()}
    return {
        word
        for word in words
        if PATH.fullmatch(word)
        and not word.startswith("DOMAIN_NAME")
        and word[0] not in "./"
    }


def is_missing(path: str, files: list[str]) -> bool:
    """Whether no file of the repository has this path, or ends with it."""
    pattern = re.escape(path.rstrip("/")).replace(r"\*", "[^/]*")
    end = "/" if path.endswith("/") else "$"
    return not any(re.search(rf"(^|/){pattern}{end}", name) for name in files)


def files_of_the_repository() -> list[str]:
    skipped = {".git", ".venv", ".local", "__pycache__", "node_modules"}
    return [
        path.relative_to(ROOT).as_posix()
        for top in ROOT.iterdir()
        if top.name not in skipped
        for path in ([top] if top.is_file() else top.rglob("*"))
        if not skipped.intersection(path.parts)
    ]


def documents() -> list[Path]:
    """All but the changelog, which names what is gone."""
    at_the_top = [path for path in ROOT.glob("*.md") if path.name != "CHANGELOG.md"]
    return [*at_the_top, *ROOT.glob("*/*.md"), *ROOT.glob("*/decisions/*.md")]


def test_paths_that_documents_name_exist():
    files = files_of_the_repository()
    # Files on the reader's own machine, and what old decisions were about.
    elsewhere = {"nginx.conf", "report.html", "media/", "robots.txt", "shop.dump"}
    elsewhere |= {"people/", "postgres/", "redis/", "run/", "run/web/", "test/"}
    elsewhere |= {"_name.html", "templates/products/_reserved.html"}  # examples
    missing = [
        f"{document.relative_to(ROOT)} names {path}"
        for document in documents()
        for path in sorted(paths_in(document.read_text()) - elsewhere)
        if is_missing(path, files)
    ]

    assert not missing, "Write what it is now:\n" + "\n".join(missing)


def test_links_of_documents_lead_somewhere():
    broken = [
        f"{document.relative_to(ROOT)} links to {link}"
        for document in documents()
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / link).exists()
    ]

    assert not broken, "\n" + "\n".join(broken)


def test_path_that_is_missing_is_found():
    """The positive control."""
    text = "See `realtime/hub.py`, `fanout.py --readers 4` and `realtime/radio.py`."
    files = ["realtime/hub.py", "tests/benchmarks/fanout.py"]

    missing = [path for path in paths_in(text) if is_missing(path, files)]

    assert missing == ["realtime/radio.py"]
