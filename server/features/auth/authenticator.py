"""Persons: the access token of a session stands for the person who signed in."""

from __future__ import annotations

from uuid import UUID

from portico_kit.credentials import Grant, Principal
from portico_kit.jwt import PUBLIC_AUDIENCE, Claims, TokenKind
from server.features.auth.facade import Sessions
from server.features.auth.standings import SessionStandings
from server.features.organizations.facade import Tenants

USER = TokenKind("user", PUBLIC_AUDIENCE, required=("sid",))


def acting_person(user_id: UUID, session_id: UUID | None = None) -> Principal:
    """Who acts in a call that carries no token: at a sign-in, or by a mailed link."""
    return Principal(USER.name, user_id, session_id, person_id=user_id)


class PersonAuthenticator:
    """Lets in whoever has a session that holds, with all that the person may do."""

    kind = USER

    def __init__(self, sessions: Sessions, tenants: Tenants, standings: SessionStandings) -> None:
        self._sessions = sessions
        self._tenants = tenants
        self._standings = standings

    def principal(self, claims: Claims) -> Principal:
        """The person, in their session."""
        user_id = claims.subject
        return Principal(USER.name, user_id, claims.session_id, claims.organization_id, user_id)

    async def grant(
        self, claims: Claims, principal: Principal, *, with_permissions: bool
    ) -> Grant | None:
        """What the person may do; None if the session has ended or they may not act."""
        if claims.session_id is None:
            return None
        account = await self._sessions.person(claims.session_id)
        # A session is one person's: a token that names another was made by a mistake of ours.
        if account is None or account.id != claims.subject:
            return None
        if not with_permissions:
            return Grant(principal, account=account)
        rights = await self._tenants.member_rights(claims.subject)
        if not rights.demands:
            return Grant(principal, rights.permissions, account)
        withheld = await self._standings.withheld(claims.session_id, account.id, rights.demands)
        # Whatever looks at permissions finds none there.
        permissions = rights.permissions | dict.fromkeys(withheld, frozenset[str]())
        return Grant(principal, permissions, account, withheld=withheld)
