"""Signing in with a provider: GitHub, Google, any OpenID Connect server.

allauth implements the protocol. This package decides which data of a provider we trust
(`adapters`), where it redirects people to (`providers`), and what they see after an
error (`pages`). Its `views` lock no row while they wait for a provider.
"""
