"""What a browser loads when its session ends (OpenID Connect Front-Channel Logout 1.0)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from portico_kit.call import Call
from server.features.applications.facade import Applications, Client
from server.features.oauth.logout_repository import LogoutRepository
from server.features.oauth.subjects import Subjects

# Frames of one page. Nobody waits for more.
MOST = 20


@dataclass(frozen=True, slots=True)
class FrontchannelLogouts:
    """Knows the addresses.

    Attributes:
        issuer: that of the ID tokens.
    """

    issuer: str
    applications: Applications
    subjects: Subjects

    async def of(self, session_id: UUID, call: Call) -> Sequence[str]:
        """The addresses of the applications that a session has signed its person in to."""
        ids = await LogoutRepository(call.db).applications_of(session_id)
        found = await asyncio.gather(*(self.applications.find_by_id(each) for each in ids))
        clients = [each for each in found if each is not None and each.frontchannel_logout_uri]
        return [self._address(each, session_id) for each in clients[:MOST]]

    def _address(self, client: Client, session_id: UUID) -> str:
        uri = client.frontchannel_logout_uri
        if not client.frontchannel_logout_session_required:
            return uri
        named = {"iss": self.issuer, "sid": str(self.subjects.session(client, session_id))}
        return f"{uri}{'&' if '?' in uri else '?'}{urlencode(named)}"
