"""Django's development server, as it will be in production: sockets and all."""

from daphne.management.commands import runserver

from realtime.server.server import Server


class Command(runserver.Command):
    server_cls = Server
