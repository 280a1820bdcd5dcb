"""deploy/prometheus as Prometheus reads it."""

from collections.abc import Iterator
from pathlib import Path

import promql_parser
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
OTHERS = {"up"}  # what Prometheus itself says of whom it scrapes


def rules() -> list[dict]:
    """Every rule of every group."""
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def nodes(expression: str) -> list[promql_parser.Expr]:
    """All parts of a PromQL expression. Raises `ValueError` for one that is none."""
    nodes_seen: list[promql_parser.Expr] = []
    promql_parser.walk(promql_parser.parse(expression), nodes_seen.append)
    return nodes_seen


def names(expression: str) -> set[str]:
    """The series that an expression reads."""
    return {selector.name for selector in _selectors(expression)}


def labels(expression: str) -> set[str]:
    """The labels that what it gives may have: those it groups by, else all."""
    grouped = [
        set(node.modifier.labels)
        for node in nodes(expression)
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier
    ]
    return set().union(*grouped) if grouped else {"job", "instance"}


def _selectors(expression: str) -> Iterator[promql_parser.VectorSelector]:
    for node in nodes(expression):
        if isinstance(node, promql_parser.VectorSelector):
            yield node
