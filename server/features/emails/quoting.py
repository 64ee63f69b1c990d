"""Text of a caller in a mail: shown so that it can only be read.

Mail clients make links of plain text: of "example.com", "https://...", addresses and
telephone numbers. Whatever stands in a name, and however long it has been stored,
nothing in it may be followed, turn the text around it, cover it or be invisible.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from ipaddress import ip_address

LONGEST = 100  # characters; no name in the contract is longer
# Marks on one letter; more of them cover the lines above and below.
MOST_MARKS = 4

# What stands in for a name that is an address of some kind, by variable.
STAND_INS: Mapping[str, str] = {
    "display_name": "there",
    "organization_name": "an organization",
    "inviter_name": "somebody",
}
STAND_IN = "(a name that is not shown)"

# What no name needs and a mail client may follow: schemes, hosts with a path, mail
# addresses, shares of a network, numbers of 7 digits and more.
# Full stops that UTS 46 reads as the dots of a domain; the others have a form in ASCII.
_DOT = r"[.\u3002\uff61]"
_FOLLOWED = re.compile(
    rf"://|\bwww{_DOT}|\w@\w|{_DOT}\w+[/?#]|\\\\|\d(?:[\s().+/-]{{0,3}}\d){{6}}", re.IGNORECASE
)
# With something right behind it: "Dr. No", "Inc." and 14:30 are none.
_JOINED = re.compile(rf"({_DOT}|[@\\]|:(?!(?<=\d:)\d))(?=\S)")
_LINK_PUNCTUATION = frozenset(".:/@\\")
# Categories of what is not shown, or not the same everywhere.
_UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})
_SPACES = frozenset({"Zs", "Zl", "Zp"})
# Default_Ignorable_Code_Point beyond the category Cf, and the blank of Braille.
_BLANKS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))


def quote_name(variable: str, name: str) -> str:
    """A name as a mail shows it.

    Args:
        variable: which one of a template, "organization_name".
    """
    visible = _visible(name)
    if not visible or _FOLLOWED.search(visible):
        return STAND_INS.get(variable, STAND_IN)
    return _disjoined(visible)


def quote_address(text: str) -> str:
    """The address of a client, which no mail client makes a link of; else as any other text."""
    try:
        return ip_address(text).compressed
    except ValueError:
        return quote_text(text)


def quote_text(text: str) -> str:
    """Any other text of a caller as a mail shows it."""
    return _disjoined(_visible(text))


def _disjoined(text: str) -> str:
    """Takes apart what reads as a host or an address: "evil.example" becomes "evil. example"."""
    return _JOINED.sub(r"\1 ", text)


def _visible(text: str) -> str:
    """The text in one line, without anything that is not seen."""
    plain = "".join(_plain(text[: 10 * LONGEST]))
    line = " ".join(plain.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


def _plain(text: str) -> Iterator[str]:
    marks = 0
    for character in unicodedata.normalize("NFC", text):
        category = unicodedata.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if character.isspace() or category in _SPACES:
            yield " "
        elif category not in _UNSEEN and character not in _BLANKS and marks <= MOST_MARKS:
            yield _punctuation(character)


def _punctuation(character: str) -> str:
    """The ASCII form of what a mail client may read as a dot, a colon, a slash or an at sign."""
    folded = unicodedata.normalize("NFKC", character)
    return folded if _LINK_PUNCTUATION & set(folded) else character
