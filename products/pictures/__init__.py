"""Pictures of products and of their variants."""
