"""The key that signs cookies and links, as far as one can see whether it is one."""

import re

SHORTEST, FEWEST = 50, 10  # characters, and different ones among them
# What examples say instead of a key: ours, Django's, and those of other projects.
PLACEHOLDER = re.compile(
    r"<|>|…|\$\{|django-insecure|change.?(me|this|it)|your.?secret|secret.?key"
    r"|insecure|placeholder|example|50.?random|random.?characters|not.?so.?secret",
    re.IGNORECASE,
)
ADVICE = (
    "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
    " (and keep it: another key signs everybody out)."
)


def fault_of(key: str) -> str | None:
    """Return the fault of a SECRET_KEY in one line, or None if it is good."""
    if not key.strip():
        return f"SECRET_KEY is not set. {ADVICE}"
    if PLACEHOLDER.search(key):
        return f"SECRET_KEY is the placeholder of an example. {ADVICE}"
    if len(key) < SHORTEST or len(set(key)) < FEWEST:
        return f"SECRET_KEY is too short or too simple to be random. {ADVICE}"
    return None


def checked(key: str) -> str:
    """The key. Ends the program, in one line, if anybody could guess it: they could
    sign in as anybody."""
    if fault := fault_of(key):
        raise SystemExit(fault)
    return key
