"""Stock: units on hand and reserved, and every movement of them."""
