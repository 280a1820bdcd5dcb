"""The checkout: contact, review, order.

Each visit starts the hold of the basket's units or makes it longer. What was entered
stays in the session until the order is placed. If a service refuses something, the
answer is a page of its own with status 409, which says what the shopper can do.
"""
