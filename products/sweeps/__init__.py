"""Work on rows that can fail, one row at a time."""
