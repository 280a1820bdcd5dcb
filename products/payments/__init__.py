"""Ways to pay, and the money of orders."""
