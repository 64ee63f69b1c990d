"""Commands in Valkey's protocol (RESP), put together from parts that are made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1


def bulk(value: bytes) -> bytes:
    """A string as an argument."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


# Says that the next command may find its slot of a cluster on its way.
ASKING = b"*1\r\n" + bulk(b"ASKING")


@dataclass(frozen=True, slots=True)
class Call:
    """A script with its keys and arguments.

    Attributes:
        slot: in which all of the keys are, on a cluster.
    """

    script: Script
    slot: int
    arguments: int
    rest: bytes

    @property
    def by_digest(self) -> bytes:
        """The command for a Valkey that knows the script."""
        return b"*%d\r\n%b%b" % (self.arguments, self.script.by_digest, self.rest)

    @property
    def by_source(self) -> bytes:
        """The command for one that does not, and knows it from then on."""
        return b"*%d\r\n%b%b" % (self.arguments, self.script.by_source, self.rest)


class Script:
    """A script that Valkey runs, and knows by its SHA-1 once it has run it."""

    def __init__(self, source: str) -> None:
        digest = sha1(source.encode(), usedforsecurity=False).hexdigest()
        self.by_digest = bulk(b"EVALSHA") + bulk(digest.encode())
        self.by_source = bulk(b"EVAL") + bulk(source.encode())

    def call(
        self, slot: int, number_of_keys: int, keys: Sequence[bytes], arguments: Sequence[bytes]
    ) -> Call:
        """A call.

        Args:
            slot: in which all of the keys are, on a cluster.
            number_of_keys: in `keys`, of which each part may hold several.
            keys: bulk strings.
            arguments: bulk strings, one each.
        """
        parts = [bulk(b"%d" % number_of_keys), *keys, *arguments]
        return Call(self, slot, 3 + number_of_keys + len(arguments), b"".join(parts))
