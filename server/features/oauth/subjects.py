"""What an application calls a person: `sub`, see OpenID Connect Core, section 8."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico_kit.secrets import Secrets
from server.features.applications.facade import Client

PURPOSE = "oauth-pairwise-subject"
SESSION_PURPOSE = "oauth-session-id"


@dataclass(frozen=True, slots=True)
class Subjects:
    """Gives the names. A pairwise one tells two applications nothing about each other's people."""

    secrets: Secrets

    def of(self, client: Client, user_id: UUID) -> UUID:
        """What this application calls this person; always the same."""
        names = client.names_of_people
        return _uuid(self.secrets.mac(PURPOSE, f"{names} {user_id}")) if names else user_id

    def session(self, client: Client, session_id: UUID) -> UUID:
        """What this application calls a session (`sid`); no two share a name for it."""
        return _uuid(self.secrets.mac(SESSION_PURPOSE, f"{client.client_id} {session_id}"))


def _uuid(digest: bytes) -> UUID:
    """A UUID of version 8 (RFC 9562, section 5.8): it looks like an id, and is none of ours."""
    number = int.from_bytes(digest[:16]) & ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=number | (0x8 << 76) | (0x2 << 62))
