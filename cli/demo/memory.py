"""What a tour leaves for the next one: its people and their organization.

An address may register few accounts in an hour, so a second tour signs in as
the people of the first. The file is private to whoever runs the platform; what
it opens is an example on this machine.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Known:
    """Somebody whom an earlier tour registered.

    Attributes:
        email: the address.
        password: the password.
        refresh_token: what the last tour was given to go on with.
    """

    email: str
    password: str
    refresh_token: str


class Memory:
    """The file of a platform's tours.

    Args:
        path: where it is; if it cannot be written, the next tour begins from nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            self._facts = dict(json.loads(path.read_text()))

    def person(self, name: str) -> Known | None:
        """Whom an earlier tour registered by this name."""
        with suppress(KeyError, TypeError):
            return Known(**self._facts["people"][name])
        return None

    def keep_person(self, name: str, known: Known) -> None:
        """Remembers somebody."""
        people = self._facts.setdefault("people", {})
        people[name] = dict(vars(known))
        self._write()

    @property
    def organization(self) -> str:
        """The id of the organization that an earlier tour founded; empty if there is none."""
        return str(self._facts.get("organization", ""))

    def keep_organization(self, organization: str) -> None:
        """Remembers the organization."""
        self._facts["organization"] = organization
        self._write()

    def forget(self) -> None:
        """Forgets everything: the platform does not know it any more."""
        self._facts = {}

    def _write(self) -> None:
        draft = self._path.with_suffix(".new")
        with suppress(OSError):
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as out:
                json.dump(self._facts, out)
            draft.replace(self._path)
