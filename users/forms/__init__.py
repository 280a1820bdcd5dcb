"""Forms of accounts, in modules like those of the views."""
