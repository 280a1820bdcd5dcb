"""Drops: sales that begin at a second, with a waiting room in front of them."""
