"""What is for sale: products, categories and their pages."""
