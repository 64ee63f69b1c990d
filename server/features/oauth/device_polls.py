"""The use of a device code at the token endpoint (RFC 8628, sections 3.4 and 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from portico_kit.call import Call
from portico_kit.errors import DomainError
from portico_kit.ids import new_id
from portico_kit.storage.statements import Statements
from server.features.applications.facade import Client
from server.features.oauth.codes import CodeExchange
from server.features.oauth.device_repository import POLL
from server.features.oauth.devices import DeviceAuthorizations
from server.features.oauth.errors import (
    AccessDeniedError,
    AuthorizationPendingError,
    ExpiredTokenError,
    InvalidGrantError,
    InvalidOAuthRequestError,
    SlowDownError,
)
from server.features.oauth.repository import DEVICE_EXCHANGE, sources
from server.features.oauth.tokens import Issued, expires_at


@dataclass(frozen=True, slots=True)
class DevicePolling:
    """Answers devices that poll."""

    statements: Statements
    devices: DeviceAuthorizations
    codes: CodeExchange

    async def use(self, client: Client, device_code: str, jkt: str, call: Call) -> Issued:
        """The tokens that a device code is good for, once.

        A second use ends nothing: the code was in no browser, and devices that lose an answer
        poll again.

        Args:
            jkt: the thumbprint of the key that the client has proved to have; "" for none.

        Raises:
            InvalidOAuthRequestError: if the code is missing.
            AuthorizationPendingError: if the person has not decided.
            SlowDownError: if the device also polls too often.
            AccessDeniedError: if the person has refused.
            ExpiredTokenError: if nobody has decided in time.
            InvalidGrantError: if the code is another application's, was used, or what the person
                gave has ended since.
        """
        if not device_code:
            raise InvalidOAuthRequestError("device_code is missing")
        named = {
            "code_hash": self.devices.hash_of(device_code),
            "attempt": new_id(),
            "application_id": client.id,
            "now": call.now,
        }
        rows = await self.statements.run(POLL, **named)
        if not rows:
            raise InvalidGrantError("the device_code is not valid, or another application's")
        if (refusal := _refusal(rows[0], call)) is not None:
            raise refusal
        rows = await self.statements.run(
            DEVICE_EXCHANGE, **named, dpop_jkt=jkt, idle_end=expires_at(client, call.now)
        )
        source = sources(rows)
        if source is None:
            raise InvalidGrantError("the device_code was used before, or what it gave has ended")
        return await self.codes.issue(client, source, jkt, call)


def _refusal(found: Any, call: Call) -> DomainError | None:
    """Why a device gets nothing now; None if the person has approved.

    Args:
        found: what `POLL` gave.
    """
    if found.used_by is not None:
        return InvalidGrantError("the device_code was used before")
    if found.user_id is not None and found.authorization_id is None:
        return AccessDeniedError("the person has refused")
    if found.expires_at <= call.now:
        return ExpiredTokenError("the device_code has expired; begin again")
    if found.authorization_id is not None:
        return None
    if found.polled_early:
        return SlowDownError("wait five seconds longer between two polls from now on")
    return AuthorizationPendingError("the person has not decided yet")
