"""How products are found by what people type."""
