"""The basket: what a shopper means to buy, and what checkout holds."""
