"""The look that an operator chooses: one colour, held against what people can read, and a logo."""

from __future__ import annotations

import re
from pathlib import Path

# WCAG 2.2, criterion 1.4.3 (AA).
MIN_CONTRAST = 4.5
MAX_LOGO_BYTES = 100_000
LOGO_TYPES = {".svg": "image/svg+xml", ".png": "image/png"}
WHITE = (255, 255, 255)
BLACK = (0, 0, 0)
# What links stand on in the dark theme; see assets/style.css.
DARK_CARD = (28, 32, 39)
_HEX = re.compile(r"#[0-9a-fA-F]{6}\Z")
_STEPS = 100

Color = tuple[int, int, int]


def parse_color(text: str) -> Color:
    """The color of "#1f5fd0".

    Raises:
        ValueError: if it is written otherwise.
    """
    if not _HEX.match(text):
        raise ValueError("give a color such as #1f5fd0")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def hex_color(color: Color) -> str:
    """A color as "#1f5fd0"."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def luminance(color: Color) -> float:
    """The relative luminance (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    """The contrast ratio of two colors, from 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def readable(color: Color, background: Color, toward: Color) -> Color:
    """The color nearest to `color`, on the way to another one, that can be read on a background."""
    for step in range(_STEPS + 1):
        red, green, blue = (
            round(start + (end - start) * step / _STEPS)
            for start, end in zip(color, toward, strict=True)
        )
        if contrast((red, green, blue), background) >= MIN_CONTRAST:
            return red, green, blue
    return toward


def checked_color(text: str) -> str:
    """The brand color, if white text can be read on it and it can be read on white.

    Raises:
        ValueError: naming the nearest color for which that is so.
    """
    color = parse_color(text)
    nearest = readable(color, WHITE, BLACK)
    if nearest != color:
        ratio = contrast(color, WHITE)
        raise ValueError(
            f"white text on it has a contrast of {ratio:.1f}:1 and needs {MIN_CONTRAST}:1; "
            f"the nearest color that has it is {hex_color(nearest)}"
        )
    return text.lower()


def dark_color(text: str) -> str:
    """The brand color as links have it in the dark theme: as much lighter as it takes."""
    return hex_color(readable(parse_color(text), DARK_CARD, WHITE))


def checked_logo(path: Path) -> Path:
    """The file of a logo.

    Raises:
        ValueError: if it cannot be read, is too large, or is no SVG or PNG.
    """
    if path.suffix.lower() not in LOGO_TYPES:
        raise ValueError("give an .svg or .png file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from None
    if len(content) > MAX_LOGO_BYTES:
        raise ValueError(f"the file is larger than {MAX_LOGO_BYTES} bytes")
    is_png = content.startswith(b"\x89PNG\r\n\x1a\n")
    if is_png != (path.suffix.lower() == ".png") or not (is_png or b"<svg" in content):
        raise ValueError("the file is not what its name says")
    return path
