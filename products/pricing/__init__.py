"""What things cost: one calculation, and what a refund is worth."""
