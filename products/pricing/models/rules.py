"""The version of the rules by which baskets are priced."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from project.constraints import SqlConstraint

# Before the statement, so that all who change rules wait for this row first. They
# would otherwise lock rows of rules in different orders, and could deadlock.
CREATE = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO products_rulesversion (id, version) VALUES (1, gen_random_uuid())
    ON CONFLICT (id) DO UPDATE SET version = EXCLUDED.version;
    RETURN NULL;
END $$;
CREATE TRIGGER {name} BEFORE INSERT OR DELETE OR TRUNCATE{updates} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""
REMOVE = """
DROP TRIGGER {name} ON {table};
DROP FUNCTION {name}();
"""


class RulesTrigger(SqlConstraint):
    """Gives the rules a new version with each change of a table, from any code."""

    create, remove = CREATE.replace("{updates}", " OR UPDATE"), REMOVE


class RowsTrigger(SqlConstraint):
    """Gives the rules a new version when a table gets or loses rows."""

    create, remove = CREATE.replace("{updates}", ""), REMOVE


class RulesVersion(models.Model):
    """The version of tax classes, tax rates, zones, methods and their prices: one row.

    It is random, so that no two changes have the same one, even after one of them was
    rolled back or the database was restored.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    version = models.UUIDField(_("version"), default=uuid.uuid4, editable=False)
    # The version and the day that open baskets follow: `products.pricing.rule_flips`.
    followed = models.UUIDField(null=True, editable=False)
    followed_on = models.DateField(null=True, editable=False)

    class Meta:
        verbose_name = _("version of the pricing rules")
        verbose_name_plural = _("versions of the pricing rules")

    def __str__(self) -> str:
        return str(self.version)
