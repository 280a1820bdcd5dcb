"""The command line of the server process."""

from realtime import roles
from realtime.server.server import Server

# isort: split

from daphne.cli import CommandLineInterface  # needs the reactor that `server` installs


class Command(CommandLineInterface):
    """Daphne's command line, with the role of the process."""

    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        self.parser.add_argument(
            "--role",
            default=roles.BOTH,
            help=f"What this process serves: {', '.join(roles.ROLES)} (the default)",
        )

    def run(self, args: list[str]) -> None:
        role = self.parser.parse_args(args).role
        if role not in roles.ROLES:
            raise SystemExit(f"--role {role}: a process serves pages, sockets or both.")
        roles.take(role)  # the application reads it while it is loaded
        super().run(args)
