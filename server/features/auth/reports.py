"""The token with which a person ends a session that they were told about by mail.

It is the id of the session and a signature: nothing is stored, and it is good for that one
session for as long as there is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from portico_kit.secrets import Secrets
from server.features.auth.authenticator import acting_person
from server.features.auth.errors import OneTimeTokenInvalidError
from server.features.auth.places import PlaceRepository
from server.features.auth.remembered_devices import RememberedDeviceRepository
from server.features.auth.repository import SessionRepository
from server.features.auth.session_ends import end_session
from server.features.auth.signed_tokens import SignedTokens

PURPOSE = "report-session"
ID_BYTES = 16
SIGNATURE_BYTES = 17


class ReportTokens:
    """Makes and reads the tokens."""

    def __init__(self, secrets: Secrets) -> None:
        self._tokens = SignedTokens(secrets, PURPOSE, ID_BYTES, SIGNATURE_BYTES)

    def token(self, session_id: UUID) -> str:
        """The token of a session."""
        return self._tokens.token(session_id.bytes)

    def session_id(self, token: str) -> UUID:
        """The session of a token.

        Raises:
            OneTimeTokenInvalidError: if it is none of ours.
        """
        body = self._tokens.body(token)
        if body is None:
            raise OneTimeTokenInvalidError
        return UUID(bytes=body)


@dataclass(frozen=True, slots=True)
class SessionReports:
    """Ends sessions of which their person says that they are not theirs."""

    tokens: ReportTokens

    async def end(self, token: str, call: Call) -> None:
        """Ends the session of a token and forgets its device; changes nothing a second time.

        Raises:
            OneTimeTokenInvalidError: if the token is none of ours, or its session is forgotten.
        """
        locked = await SessionRepository(call.db).lock(self.tokens.session_id(token))
        if locked is None:
            raise OneTimeTokenInvalidError
        session = locked.session
        if session.device_hash is not None:
            await PlaceRepository(call.db).forget(session.user_id, session.device_hash)
            remembered = RememberedDeviceRepository(call.db)
            await remembered.forget_device(session.user_id, session.device_hash)
        if session.revoked_at is None:
            actor = acting_person(session.user_id)
            end_session(session, "reported", call, action="session.reported", actor=actor)
