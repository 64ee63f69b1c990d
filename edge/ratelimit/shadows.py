"""Rules that are only tried: counted and reported, and nobody is refused for them."""

from __future__ import annotations

from collections.abc import Iterable


class Shadows:
    """Some rules by their names: labels joined by dots, as in "free.minute".

    A name covers every window that has all of its labels: "free.minute" each
    category's minute on the free tier, "free" all windows there.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = [frozenset(name.split(".")) for name in names]

    def cover(self, *labels: str) -> bool:
        """Whether a window with these labels is in shadow."""
        return any(name.issubset(labels) for name in self._names)


NO_SHADOWS = Shadows()
