"""The trigger that writes the history of prices."""

from typing import Any

from django.db import models

CREATE = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO products_pricechange (variant_id, price, full_price, since)
    VALUES (NEW.id, NEW.price, NEW.full_price, clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER {name}_insert AFTER INSERT ON {table}
    FOR EACH ROW EXECUTE FUNCTION {name}();
CREATE TRIGGER {name}_update AFTER UPDATE ON {table} FOR EACH ROW
    WHEN ((OLD.price, OLD.full_price) IS DISTINCT FROM (NEW.price, NEW.full_price))
    EXECUTE FUNCTION {name}();
"""
REMOVE = """
DROP TRIGGER {name}_insert ON {table};
DROP TRIGGER {name}_update ON {table};
DROP FUNCTION {name}();
"""


class PriceTrigger(models.BaseConstraint):
    """Writes a row of `PriceChange` for each new price, from any code or SQL.

    It is a constraint of the priced table, so that a migration creates it.
    """

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        """Create the trigger once its table is there."""
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._fill(CREATE, model)

    def remove_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._fill(REMOVE, model)

    def validate(self, model: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing is refused."""

    def _fill(self, sql: str, model: type[models.Model]) -> str:
        return sql.format(name=self.name, table=model._meta.db_table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PriceTrigger) and self.name == other.name
