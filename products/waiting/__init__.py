"""Back in stock: who waits for what, and hears of it."""
