"""Mail: the outbox, and how it is delivered."""
