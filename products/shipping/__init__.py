"""Where the shop delivers, by which methods, and what they cost."""
