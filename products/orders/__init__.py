"""Orders: the checkout, what becomes of an order, its pages."""
