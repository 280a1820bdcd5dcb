"""The basket: products that a shopper chose, and units that a checkout holds."""
