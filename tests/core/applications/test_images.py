"""What is taken for an image is one by itself, small, and nothing that a browser runs."""

from __future__ import annotations

import struct
import zlib

import pytest

from server.features.applications.images import MAX_BYTES, Image, read_image


def png(width: int, height: int, tail: bytes = b"") -> bytes:
    """The beginning of a picture."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + header + struct.pack(">I", zlib.crc32(header)) + tail
    )


JPEG = b"\xff\xd8\xff\xe0\x00\x04JF\xff\xff\xc0\x00\x0b\x08" + struct.pack(">HH", 20, 30) + b"\x01"
GIF = b"GIF89a" + struct.pack("<HH", 30, 20)
LOSSY = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 30, 20)
LOSSLESS = b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 29 | 19 << 14)
EXTENDED = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x1d\0\0\x13\0\0"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (png(30, 20), "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (LOSSY, "image/webp"),
        (LOSSLESS, "image/webp"),
        (EXTENDED, "image/webp"),
    ],
)
def test_an_image_is_known_by_its_content(content: bytes, content_type: str) -> None:
    assert read_image(content) == Image(content_type, 30, 20)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "content",
    [
        b"",
        SVG,
        b"<?xml version='1.0'?>" + SVG,
        b"\x1f\x8b" + SVG,
        b"<!doctype html><script>alert(1)</script>",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"\xff\xd8\xff" * 1000,
        b"\xff\xd8" + b"\xff" * 1000,
        b"\xff\xd8\xff\xe0\x00\x00" * 1000,
        b"RIFF\0\0\0\0WEBP",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"BM" + bytes(100),
        b"\0\0\1\0" + bytes(100),
        # A side of none, or of too many pixels: it unpacks to gigabytes.
        png(0, 20),
        png(1025, 20),
        png(60_000, 60_000),
        png(20, 20, bytes(MAX_BYTES)),
    ],
)
def test_what_is_no_small_image_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="it is"):
        read_image(content)
