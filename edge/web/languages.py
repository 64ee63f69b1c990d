"""Which language a person reads, and the texts in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "texts"
DEFAULT = "en"
# More is not a preference.
MAX_HEADER = 500
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def choose(available: Sequence[str], preference: str, ui_locales: str, accept_language: str) -> str:
    """The language of a page.

    Args:
        available: the languages that there are, the default first.
        preference: of the person, an ISO 639-1 code; empty if there is none.
        ui_locales: of the link that led here, tags separated by spaces (OpenID Connect).
        accept_language: the header of the browser (RFC 9110, section 12.5.4).
    """
    wanted = (preference, *ui_locales[:MAX_HEADER].split(), *_accepted(accept_language, available))
    return next((tag for tag in map(_primary, wanted) if tag in available), available[0])


def _accepted(header: str, available: Sequence[str]) -> list[str]:
    """The tags of a header, the preferred first."""
    weighted = []
    for item in header[:MAX_HEADER].split(","):
        tag, _, parameters = item.partition(";")
        weight = _weight(parameters)
        if weight > 0:
            weighted.append((weight, available[0] if tag.strip() == "*" else tag))
    return [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    return float(value) if re.fullmatch(r"\s*(0(\.\d{0,3})?|1(\.0{0,3})?)\s*", value) else 0.0


def _primary(tag: str) -> str:
    return tag.strip().lower().partition("-")[0]


@dataclass(frozen=True, slots=True)
class Catalog:
    """The texts in one language, by dotted keys."""

    language: str
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """A text with the values in its places.

        Raises:
            KeyError: if there is no such text, or a value is missing.
        """
        return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), self.texts[key])

    def has(self, key: str) -> bool:
        """Whether there is such a text."""
        return key in self.texts


def load_catalogs(folder: Path = FOLDER) -> dict[str, Catalog]:
    """Every catalog, by language, the default first."""
    found = sorted(folder.glob("*.toml"), key=lambda file: (file.stem != DEFAULT, file.stem))
    return {
        file.stem: Catalog(file.stem, dict(_flat(tomllib.loads(file.read_text("utf-8")))))
        for file in found
    }


def placeholders(text: str) -> set[str]:
    """The names of a text's places."""
    return set(_PLACEHOLDER.findall(text))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
