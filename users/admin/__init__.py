"""Accounts in the admin: people, their sessions, groups and verification mails.

Only administrators give rights and change other administrators, so staff who may change
people cannot gain rights that way. Secrets (keys of links and sessions, second factors,
tokens) are never shown, and nobody can search for them.
"""

from users.admin.groups import GroupAdmin
from users.admin.people import UserAdmin
from users.admin.verifications import EmailConfirmationAdmin

__all__ = ["EmailConfirmationAdmin", "GroupAdmin", "UserAdmin"]
