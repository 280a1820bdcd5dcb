"""The trigger that writes the history of prices."""

from project.constraints import SqlConstraint

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


class PriceTrigger(SqlConstraint):
    """Writes a row of `PriceChange` for each new price, from any code or SQL."""

    create, remove = CREATE, REMOVE
