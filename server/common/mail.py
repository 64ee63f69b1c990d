"""A mail as the feature that sends it declares it: text with gaps, which a caller's values fill.

The text is ours. What fills the gaps is quoted when the mail is rendered, whatever
the mail: a new one has nothing to do for it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """What a mail asks its reader to follow; the variable `token` is added to it.

    Attributes:
        action: what it does.
        path: where it leads, below the public address.
        once: whether the token is used up by what the link does.
    """

    action: str
    path: str
    once: bool = True


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail with gaps ("$display_name") that its variables fill; none begins a line.

    A variable that ends in "_name" is a name; one that reads as an address of any
    kind is not shown, see `quoting.quote_name`.

    Attributes:
        name: by which the row of a mail to send names it.
        paragraphs: the text above the link.
        link: None for a notice, which asks for nothing.
        notes: the text below the link.
    """

    name: str
    subject: str
    paragraphs: tuple[str, ...]
    link: Link | None = None
    notes: tuple[str, ...] = ()
