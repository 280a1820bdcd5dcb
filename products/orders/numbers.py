"""The numbers of orders, and the tokens that let guests see them."""

import secrets

# No 0 O 1 I L: people read out a number over the telephone.
LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
NUMBER_LENGTH = 8


def new_number() -> str:
    """Return an order's number, one of 31⁸, which nobody can guess from another."""
    return "".join(secrets.choice(LETTERS) for _ in range(NUMBER_LENGTH))


def new_access_token() -> str:
    """Return a token that lets a guest see their order."""
    return secrets.token_urlsafe(24)
