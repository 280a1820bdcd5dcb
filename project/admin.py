"""Django loads the admin from here."""

from project.mail.admin import OutboxAdmin

__all__ = ["OutboxAdmin"]
