"""How many there are, and how it came to that."""
