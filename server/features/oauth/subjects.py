"""What an application calls a person: `sub`, see OpenID Connect Core, section 8."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from portico_kit.secrets import Secrets
from server.features.applications.facade import Client

PURPOSE = "oauth-pairwise-subject"
SESSION_PURPOSE = "oauth-session-id"
PAIRWISE = "pairwise"


@dataclass(frozen=True, slots=True)
class Subjects:
    """Gives the names. A pairwise one tells two applications nothing about each other's people."""

    secrets: Secrets

    def of(self, client: Client, user_id: UUID) -> UUID:
        """What this application calls this person; always the same."""
        if client.subject_type != PAIRWISE:
            return user_id
        return _uuid(self.secrets.mac(PURPOSE, f"{_sector(client)} {user_id}"))

    def session(self, client: Client, session_id: UUID) -> UUID:
        """What this application calls a session (`sid`); no two share a name for it."""
        return _uuid(self.secrets.mac(SESSION_PURPOSE, f"{client.client_id} {session_id}"))


def _uuid(digest: bytes) -> UUID:
    """A UUID of version 8 (RFC 9562, section 5.8): it looks like an id, and is none of ours."""
    number = int.from_bytes(digest[:16]) & ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=number | (0x8 << 76) | (0x2 << 62))


def _sector(client: Client) -> str:
    """Whose applications share their names for people: those of one host (section 8.1)."""
    if client.sector_identifier_uri:
        return _host(client.sector_identifier_uri)
    hosts = {_host(uri) for uri in client.redirect_uris}
    return hosts.pop() if len(hosts) == 1 else client.client_id


def _host(uri: str) -> str:
    return urlsplit(uri).hostname or uri
