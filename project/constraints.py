"""Rules that the database keeps by SQL of ours, such as triggers."""

from typing import Any, ClassVar

from django.db import models


class SqlConstraint(models.BaseConstraint):
    """A constraint of a table that Django has no class for.

    Subclasses have the SQL that creates and removes it, with {name} and {table}. A
    migration runs it once all of its tables are there. The database alone checks it.
    """

    create: ClassVar[str]
    remove: ClassVar[str]

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._fill(self.create, model)

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._fill(self.remove, model)

    def validate(self, model: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing is refused before the database is asked."""

    def _fill(self, sql: str, model: type[models.Model]) -> str:
        return sql.format(name=self.name, table=model._meta.db_table)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.name == other.name
