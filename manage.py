#!/usr/bin/env python
"""Django's command-line entry point."""

import os
import sys
from importlib import import_module


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    from django.core.management import execute_from_command_line

    # Wrong settings end every command here; Django would begin some of them.
    import_module(os.environ["DJANGO_SETTINGS_MODULE"])
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
