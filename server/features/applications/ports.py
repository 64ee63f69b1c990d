"""What applications need of features that stand above them; `wiring` brings it."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from portico_kit.call import Call


class Grants(Protocol):
    """Knows what people have let applications do; the oauth feature does."""

    async def revoke_of_application(self, application_id: UUID, call: Call) -> None:
        """Revokes what people let an application do, and records each."""
        ...

    async def has_people(self, application_id: UUID, call: Call) -> bool:
        """Whether anybody has let an application in, whether that has ended or not."""
        ...
