"""Pictures that a worker fetches from the web."""
