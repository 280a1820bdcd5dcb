"""The alerts of deploy/prometheus. (That /metrics has what they read:
`tests/system/test_metrics.py`.)"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from project.background import GAUGES
from tests.support import prometheus
from tests.support.prometheus import FOLDER, rules

README = (FOLDER.parent / "README.md").read_text()
TABLE = [line for line in README.splitlines() if line.startswith("| ")]
RULES = [pytest.param(rule, id=rule["alert"]) for rule in rules()]
CONFIG = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
UNIT_TESTS = Path(__file__).parent / "rules_test.yml"
DURATION = re.compile(r"\d+[smhd]")


@pytest.mark.parametrize("rule", RULES)
def test_rule_says_when_how_bad_and_what_to_do(rule):
    assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}
    assert DURATION.fullmatch(rule["for"])
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"].keys() == {"summary", "description"}
    summary, description = rule["annotations"].values()
    assert 0 < len(summary) <= 100 and "\n" not in summary
    assert len(re.findall(r"[.:] [A-Z]", description)) >= 1, "what to do, too"


@pytest.mark.parametrize("rule", RULES)
def test_rule_names_no_label_that_its_alert_has_not(rule):
    named = re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))

    assert set(named) <= prometheus.labels(rule["expr"])


@pytest.mark.parametrize("rule", RULES)
def test_words_in_braces_are_a_value_or_a_label(rule):
    """What `promtool` would find: a template that Prometheus cannot fill in."""
    known = r"\$value( \| (humanize|humanizeDuration))?|\$labels\.\w+"

    for words in re.findall(r"\{\{(.*?)\}\}", str(rule["annotations"])):
        assert re.fullmatch(known, words.strip())


def test_alerts_have_names_of_their_own():
    names = [rule["alert"] for rule in rules()]

    assert len(names) == len(set(names))
    assert all(re.fullmatch("Shop[A-Za-z]+", name) for name in names)


@pytest.mark.parametrize("gauge", GAUGES)
def test_number_of_background_work_has_an_alert_and_is_explained(gauge):
    reading = [r["alert"] for r in rules() if gauge in prometheus.names(r["expr"])]

    assert reading
    (row,) = [row for row in TABLE if re.search(rf"`{gauge}[`{{]", row)]
    assert any(f"`{alert}`" in row for alert in reading)


@pytest.mark.parametrize("rule", RULES)
def test_alert_is_named_in_the_readme(rule):
    assert f"`{rule['alert']}`" in README


def test_example_scrapes_the_job_that_the_rules_know():
    (job,) = CONFIG["scrape_configs"]

    assert CONFIG["rule_files"] == ["rules.yml"]
    assert job["authorization"]["type"] == "Bearer"
    known = {name for rule in rules() for name in re.findall('job="(.*?)"', str(rule))}
    assert known == {job["job_name"]}


@pytest.mark.parametrize(
    "expression",
    ["sum(", "rate(up)", "up >", "nosuch(up)", 'up{job="shop}', "max by up"],
)
def test_expression_that_is_wrong_is_found(expression):
    """The control: the parser sees what it is there for."""
    with pytest.raises(ValueError):
        prometheus.names(expression)


def test_promtool_agrees_where_it_is_installed():
    """Debian's package `prometheus` brings it."""
    promtool = shutil.which("promtool")
    if promtool:
        for command in (
            ["check", "rules", FOLDER / "rules.yml"],
            ["check", "config", "--syntax-only", FOLDER / "prometheus.yml"],
            ["test", "rules", UNIT_TESTS],
        ):
            done = subprocess.run([promtool, *command], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
