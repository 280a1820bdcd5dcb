"""`manage.py after_restore`: what a restored shop needs before it is started."""

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from products.payments import interface, restores
from products.stock import books


class Command(BaseCommand):
    help = (
        "Run it once after a backup was restored and migrated, before the shop is"
        " started: moves numbers on, empties the cache, draws missing thumbnails, asks"
        " Stripe what was paid since, and checks files and books. Exit 1 when somebody"
        " must look at something. It may be run again."
    )

    def handle(self, *args, **options) -> None:
        _check_tables()
        self.problems = 0
        self._tell(f"{restores.skip_numbers()} sequences moved on.")
        self._empty_cache()
        self._look_at_files()
        self._ask_for_payments()
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
            self._warn("Redis does not answer: empty it before the shop is started.")

    def _look_at_files(self) -> None:
        drawn = restores.draw_thumbnails()
        self._tell(f"Thumbnails of {drawn} products drawn.")
        for name in restores.missing_files():
            self._warn(f"missing file: {name}")

    def _ask_for_payments(self) -> None:
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
    """Raises `CommandError` unless every migration was applied."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("Tables are missing or old: run manage.py migrate first.")
