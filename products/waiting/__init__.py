"""Back in stock: tells people about products that they wait for."""
