from realtime.server.command import Command

Command.entrypoint()
