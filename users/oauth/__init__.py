"""Signing in with a provider: GitHub, Google, any OpenID Connect server.

allauth does the protocol. Here is what it leaves to a shop: what is believed of a
provider's word (adapters), where it sends people back to (providers), what they see
when something goes wrong (pages), and views that hold no row while a provider thinks.
"""
