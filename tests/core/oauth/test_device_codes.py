"""A device without a browser."""

from __future__ import annotations
