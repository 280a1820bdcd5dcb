"""Pictures of the demo products, composed as SVG and saved as WebP."""

from .render import draw, picture

__all__ = ["draw", "picture"]
