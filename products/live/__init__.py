"""What is live in the shop: topics, their states, and who may watch them.

`registry` gives it to the live core; `push` publishes changes.
"""
