"""What kind of image some bytes are, and how large: by themselves, not by what is said of them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAX_BYTES = 64 * 1024
# Of a side, in pixels: a small file may unpack to a huge picture.
MAX_SIDE = 1024
_PNG = b"\x89PNG\r\n\x1a\n"
# Markers of JPEG that say the size, and those that have no length.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True, slots=True)
class Image:
    """An image that browsers show, and do not run.

    Attributes:
        content_type: its media type.
    """

    content_type: str
    width: int
    height: int


def read_image(content: bytes) -> Image:
    """The image that some bytes are.

    SVG is none of them: it is a document, with scripts and addresses in it.

    Raises:
        ValueError: if it is none that is accepted; it says why.
    """
    if len(content) > MAX_BYTES:
        raise ValueError("it is larger than 64 KiB")
    try:
        image = _recognized(content)
    except (struct.error, IndexError):
        image = None
    if image is None:
        raise ValueError("it is no PNG, JPEG, GIF or WebP")
    if not (1 <= image.width <= MAX_SIDE and 1 <= image.height <= MAX_SIDE):
        raise ValueError("it is larger than 1,024 pixels a side")
    return image


def _recognized(content: bytes) -> Image | None:
    if content.startswith(_PNG) and content[12:16] == b"IHDR":
        return Image("image/png", *struct.unpack(">II", content[16:24]))
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return Image("image/gif", *struct.unpack("<HH", content[6:10]))
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp(content)
    return None


def _jpeg(content: bytes) -> Image | None:
    """By the first frame."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return Image("image/jpeg", width, height)
        if marker == 0xFF:
            at += 1
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + struct.unpack(">H", content[at + 2 : at + 4])[0]
    return None


def _webp(content: bytes) -> Image | None:
    """By the first chunk: lossy, lossless or extended (RFC 9649, section 2)."""
    chunk = content[12:16]
    if chunk == b"VP8 " and content[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", content[26:30])
        return Image("image/webp", width & 0x3FFF, height & 0x3FFF)
    if chunk == b"VP8L" and content[20] == 0x2F:
        (bits,) = struct.unpack("<I", content[21:25])
        return Image("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        return Image("image/webp", width, int.from_bytes(content[27:30], "little") + 1)
    return None
