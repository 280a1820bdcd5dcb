"""Queries that Django compiles once in a process.

Django takes longer to turn a query into SQL than PostgreSQL takes to run it: about a
millisecond for rows of four tables. Queries on the way to an order are compiled once,
with marks in the places of their values.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import count
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)

_numbers = count(7_400_000_000_000_001)


class Prepared(Generic[M]):
    """A query of the default database for rows of a model, by values that it is given.

    `build` returns the query for values of the kinds (`int`, `str`) that it is given.
    It must use each of them, as it is: with `field=value`, without a lookup that
    changes it. Like a queryset, a query has `select_related` and annotations, but
    neither `only`, `prefetch_related` nor a slice.
    """

    def __init__(
        self, build: Callable[..., "QuerySet[M]"], *kinds: type[int] | type[str]
    ) -> None:
        self._build, self._kinds = build, kinds

    def rows(self, *values: Any) -> list[M]:
        """Return the rows for these values, in the order of the query."""
        sql, parameters = self._sql
        with connection.cursor() as cursor:
            cursor.execute(sql, [parameter(values) for parameter in parameters])
            return list(self._read(cursor.fetchall()))

    def first(self, *values: Any) -> M | None:
        """Return the first row for these values, or None."""
        rows = self.rows(*values)
        return rows[0] if rows else None

    @cached_property
    def _compiler(self) -> tuple[Any, list[int | str]]:
        numbers = [next(_numbers) for _kind in self._kinds]
        marks = [kind(number) for kind, number in zip(self._kinds, numbers)]
        return self._build(*marks).query.get_compiler("default"), marks

    @cached_property
    def _sql(self) -> tuple[str, list[Callable[[tuple], Any]]]:
        compiler, marks = self._compiler
        sql, parameters = compiler.as_sql()
        assert all(mark in parameters for mark in marks), "it does not use a value"
        return sql, [_parameter(each, marks) for each in parameters]

    def _read(self, rows: list[tuple]) -> Iterator[M]:
        """Do as Django's `ModelIterable`."""
        model, columns, attributes, populators, annotations, convert = self._plan
        for row in convert(rows):
            instance = model.from_db("default", attributes, row[columns])
            for populator in populators:
                populator.populate(row, instance)
            for name, position in annotations.items():
                setattr(instance, name, row[position])
            yield instance

    @cached_property
    def _plan(self) -> tuple[Any, ...]:
        self._sql  # compiles the query, which finds out the columns
        compiler, _marks = self._compiler
        select, info = compiler.select, compiler.klass_info
        own = info["select_fields"]
        columns = slice(own[0], own[-1] + 1)
        attributes = [field[0].target.attname for field in select[columns]]
        # The stubs are those of a later Django.
        populators = get_related_populators(  # type: ignore[call-arg]
            info, select, "default"
        )
        converters = compiler.get_converters([field[0] for field in select])

        def convert(rows: list[tuple]) -> Any:
            return compiler.apply_converters(rows, converters) if converters else rows

        annotations = compiler.annotation_col_map or {}
        return info["model"], columns, attributes, populators, annotations, convert


def note_related(instance: Model, name: str, rows: list[Any]) -> None:
    """Let `instance.name.all()` return rows that are known, as if prefetched."""
    known = getattr(instance, name).all()
    known._result_cache, known._prefetch_done = rows, True
    cache = instance.__dict__.setdefault("_prefetched_objects_cache", {})
    cache[name] = known


def _parameter(value: Any, marks: list[int | str]) -> Callable[[tuple], Any]:
    """Return what gives a query's parameter, out of the values for the marks."""
    if value in marks:
        position = marks.index(value)
        return lambda values: values[position]
    return lambda values: value
