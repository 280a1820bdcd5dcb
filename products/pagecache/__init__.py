"""The page cache: see README.md."""
