"""`manage.py loadtest`: load a shop, judge it, and check its books afterwards."""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from realtime.loadtest import command, options


class Command(BaseCommand):
    help = "Load the shop with sockets and shoppers; exit codes are in the README."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        options.add_to(parser)

    def handle(self, *args: Any, **flags: Any) -> None:
        namespace = Namespace(**flags)
        try:
            options.check(namespace)
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        sys.exit(command.execute(namespace, self.books))

    def books(self) -> str | None:
        """What does not add up in this machine's database."""
        try:
            call_command("reconcile", stdout=self.stdout, stderr=self.stderr)
        except CommandError as error:
            return f"The books are not reconciled: {error}"
        return None
