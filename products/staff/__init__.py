"""Pages for staff: the board, an order, exports and the pulse."""
