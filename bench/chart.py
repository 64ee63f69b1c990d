"""The picture of a run: CPU time per request by process, ours beside each baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, LEFT, RIGHT = 920, 130, 90
BAR, GAP, HEADING, TOP, LEGEND = 24, 8, 40, 50, 40
FONT = "font-family='system-ui, sans-serif' font-size='13'"
COLOURS = {
    "gateway": "#4269d0",
    "envoy": "#4269d0",
    "authorize": "#a463f2",
    "ratelimit": "#ff725c",
    "service": "#3ca951",
    "core": "#3ca951",
    "uvicorn": "#efb118",
    "postgres": "#6cc5b0",
    "valkey": "#97bbf5",
}
OTHER = "#9c6b4e"


@dataclass(frozen=True)
class Bar:
    """One service doing one kind of work: microseconds by process."""

    service: str
    parts: Mapping[str, float]

    @property
    def total(self) -> float:
        """All processes together."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Group:
    """Bars to compare: the same work, ours first."""

    title: str
    bars: Sequence[Bar]


def write_chart(path: Path, groups: Sequence[Group]) -> None:
    """Writes the picture as SVG. Each group has a scale of its own."""
    y, drawn = TOP, [_text(16, 28, "CPU time per request, in microseconds", weight="bold")]
    for group in groups:
        drawn.append(_text(16, y + 20, group.title, weight="bold"))
        y += HEADING - 8
        longest = max(bar.total for bar in group.bars)
        for bar in group.bars:
            drawn += _bar(bar, y, (WIDTH - LEFT - RIGHT) / longest)
            y += BAR + GAP
        y += GAP
    names = dict.fromkeys(name for group in groups for bar in group.bars for name in bar.parts)
    drawn += _legend(list(names), y + 10)
    height = y + LEGEND + 10
    frame = f"<rect width='{WIDTH}' height='{height}' fill='white'/>"
    root = f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' {FONT}>"
    path.write_text("\n".join([root, frame, *drawn, "</svg>"]) + "\n")


def _bar(bar: Bar, y: float, scale: float) -> list[str]:
    drawn = [_text(LEFT - 10, y + 17, bar.service, anchor="end")]
    x = float(LEFT)
    for name, spent in bar.parts.items():
        width = max(spent, 0) * scale
        title = f"<title>{escape(name)}: {spent:.0f}</title>"
        drawn.append(_rect(x, y, width, BAR, name, title))
        x += width
    return [*drawn, _text(x + 6, y + 17, f"{bar.total:,.0f}")]


def _legend(names: Sequence[str], y: float) -> list[str]:
    step = (WIDTH - 32) / max(len(names), 1)
    drawn = []
    for number, name in enumerate(names):
        x = 16 + number * step
        drawn += [_rect(x, y, 14, 14, name), _text(x + 20, y + 12, name)]
    return drawn


def _rect(x: float, y: float, width: float, height: float, name: str, inside: str = "") -> str:
    box = f"x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height}'"
    return f"<rect {box} fill='{COLOURS.get(name, OTHER)}'>{inside}</rect>"


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    place = f"x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}'"
    return f"<text {place}>{escape(text)}</text>"
