"""Colours: mixing, and the named palettes the catalogue chooses from."""

from typing import NamedTuple

INK = "#1d1b2a"
WARM_LIGHT = "#fffaf0"


class Palette(NamedTuple):
    """Three colours that go together: the body, a second material, a detail."""

    body: str
    second: str
    detail: str


PALETTES = {
    # glazes and paints
    "chalk": Palette("#ece6da", "#b98f63", "#7f8f95"),
    "oat": Palette("#d9c7a8", "#f0e9dc", "#8a6a4a"),
    "moss": Palette("#7c8a5c", "#d8c9a3", "#4b5638"),
    "sage": Palette("#a3b59a", "#efe8d8", "#5f7462"),
    "tide": Palette("#3f6f80", "#e9e2d2", "#23434f"),
    "sky": Palette("#9dbccb", "#f3eee3", "#56788a"),
    "ink": Palette("#2f3a4f", "#d9cdb8", "#8fa3b8"),
    "slate": Palette("#5a6470", "#cfd3d2", "#2f363f"),
    "charcoal": Palette("#3a3a40", "#b78a5b", "#85858d"),
    "clay": Palette("#c0714f", "#f0ddc6", "#7f4029"),
    "rust": Palette("#a5502f", "#e8cfae", "#5f2a18"),
    "blush": Palette("#dba893", "#f5e9dd", "#a5604c"),
    "rose": Palette("#c57f80", "#f3e2d8", "#85474d"),
    "plum": Palette("#6f4a5e", "#e6d3cf", "#432a3a"),
    "mustard": Palette("#cf9d3d", "#f3e6c4", "#7d5a1c"),
    "butter": Palette("#ecd79a", "#fbf4e0", "#b08a3c"),
    "lilac": Palette("#a99cc0", "#efe9f0", "#665a82"),
    # woods and metals
    "oak": Palette("#c79a63", "#e9d2a8", "#80582c"),
    "walnut": Palette("#7d5338", "#c79a63", "#4a2e1d"),
    "ash": Palette("#e0c79d", "#f4e9d2", "#9c7a4a"),
    "steel": Palette("#b9c0c4", "#3a3a40", "#7d868c"),
    "brass": Palette("#c79a4b", "#f0e2bd", "#7c5a20"),
    "copper": Palette("#c4784f", "#f0cdb0", "#7a4128"),
    "iron": Palette("#34363c", "#8a6a4a", "#6d7078"),
    # glass
    "clear": Palette("#dfeaec", "#b98f63", "#8fa9b0"),
    "smoke": Palette("#7d858c", "#c7a06b", "#4a5258"),
    "amber": Palette("#c9822f", "#2f2a26", "#7c4612"),
    "bottle": Palette("#5d8f76", "#c7a06b", "#2f5a46"),
    "lagoon": Palette("#6ea7b5", "#c7a06b", "#2f6676"),
    "petal": Palette("#e0a9a0", "#c7a06b", "#a86a62"),
    # plants
    "leaf": Palette("#5f8a55", "#c0714f", "#33582f"),
    "olive": Palette("#8a9460", "#e6ddca", "#515a33"),
    "fern": Palette("#3f7a55", "#d9c7a8", "#1f4a33"),
    "succulent": Palette("#86ab95", "#5a6470", "#4a7562"),
}


def mix(first: str, second: str, share: float) -> str:
    """Return the colour `share` (0 to 1) of the way from first to second."""
    pairs = zip(_channels(first), _channels(second))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def lighter(colour: str, share: float = 0.3) -> str:
    return mix(colour, WARM_LIGHT, share)


def darker(colour: str, share: float = 0.3) -> str:
    return mix(colour, INK, share)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
