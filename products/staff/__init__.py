"""The staff's pages: the board, exports, the pulse."""
