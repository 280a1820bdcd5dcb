"""What is live in the shop: topics, their state, and who may watch."""
