"""Shadow mode: rules that are counted and reported, and refuse nobody."""

from __future__ import annotations

from collections.abc import Iterable


class ShadowRules:
    """Rules by their names: labels joined by dots, as in "free.minute".

    A name matches every window that has all of its labels: "free.minute" the minute of
    each category on the free tier, "free" all windows of that tier.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = [frozenset(name.split(".")) for name in names]

    def matches(self, *labels: str) -> bool:
        """Whether a window with these labels is in shadow mode."""
        return any(name.issubset(labels) for name in self._names)


NO_SHADOW_RULES = ShadowRules()
