"""`manage.py after_restore`: prepare a restored shop before it starts."""

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from products.payments import interface, restores
from products.stock import books


class Command(BaseCommand):
    help = (
        "Prepare a restored shop. Run this after you have restored a backup and"
        " migrated, before you start the shop. It moves sequences on, empties the"
        " cache, draws missing thumbnails, asks Stripe what was paid since the backup,"
        " and checks files and books. The exit status is 1 if you have to look at"
        " something. You can run it again."
    )

    def handle(self, *args, **options) -> None:
        _check_tables()
        self.problems = 0
        self._tell(f"{restores.skip_numbers()} sequences moved on.")
        self._empty_cache()
        self._check_files()
        self._check_payments()
        self._check_books()
        if self.problems:
            raise CommandError(f"{self.problems} things to look at, see above.")
        self._tell("The shop can be started.")

    def _tell(self, text: str) -> None:
        self.stdout.write(text)

    def _warn(self, text: str) -> None:
        self.problems += 1
        self.stderr.write(text)

    def _empty_cache(self) -> None:
        if restores.empty_cache():
            self._tell("The cache is empty.")
        else:
            self._warn("Redis does not answer. Empty it before you start the shop.")

    def _check_files(self) -> None:
        count = restores.draw_thumbnails()
        self._tell(f"Thumbnails of {count} products drawn.")
        for name in restores.missing_files():
            self._warn(f"missing file: {name}")

    def _check_payments(self) -> None:
        try:
            count, unknown = restores.hear_of_payments()
        except (interface.Refused, interface.Unreachable) as error:
            self._warn(f"The payment provider did not say what was paid since: {error}")
            return
        self._tell(f"{count} events of payment providers read.")
        for event in unknown:
            paid = f"{event.amount} {event.currency}"
            self._warn(f"paid without an order here: {paid}, {event.reference}")

    def _check_books(self) -> None:
        drifts = [*books.reconcile(), *books.reconcile_money()]
        for drift in drifts:
            self._warn(str(drift))
        if not drifts:
            self._tell("The books agree.")


def _check_tables() -> None:
    """Raise `CommandError` unless all migrations are applied."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("Tables are missing or old. Run manage.py migrate first.")
