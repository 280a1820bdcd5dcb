"""Variants: what is sold."""
