"""What a token says, and whether it is active (RFC 7662); and its end (RFC 7009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portico.oauth.v1 import token_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.client_certificates import bound_certificate, is_bound_to
from portico_kit.credentials import Authenticator, Grant
from portico_kit.dpop import confirmation
from portico_kit.errors import TokenExpiredError, UnauthenticatedError
from portico_kit.jwt import Claims, TokenVerifier
from portico_kit.oauth_scopes import OPENID
from portico_kit.storage.reads import Reads
from server.common.refresh_chain import RefreshTokens, is_reused
from server.features.applications.facade import Applications, Client
from server.features.oauth import messages
from server.features.oauth.authenticators import GrantAuthenticator
from server.features.oauth.delegation import ACT, is_exchanged
from server.features.oauth.ends import Ends
from server.features.oauth.errors import InsufficientScopeError, InvalidTokenError
from server.features.oauth.kinds import OAuthKinds
from server.features.oauth.repository import REFRESHABLE, SEEDS
from server.features.oauth.subjects import Subjects
from server.features.oauth.userinfo import claims_of
from server.features.users.facade import Account

INACTIVE = pb.IntrospectResponse(active=False)


@dataclass(frozen=True, slots=True)
class PresentedTokens:
    """Reads tokens that somebody presents.

    Attributes:
        by_kind: what knows the kinds of access tokens that applications have.
    """

    kinds: OAuthKinds
    verifier: TokenVerifier
    by_kind: Mapping[str, Authenticator]
    grants: GrantAuthenticator
    refresh_tokens: RefreshTokens
    reads: Reads
    applications: Applications
    subjects: Subjects
    ends: Ends

    async def introspect(self, client: Client, token: str, call: Call) -> pb.IntrospectResponse:
        """What a token says to an application that may know; to all others it is not active."""
        presented = self.refresh_tokens.read(token)
        if presented is not None:
            rows = await self.reads.fetch(REFRESHABLE, [presented.owner_id], now=call.now)
            known = bool(rows) and self.refresh_tokens.is_ours(presented, rows[0].refresh_seed)
            if not known or is_reused(presented.number, rows[0].refresh_counter):
                return INACTIVE
            return self._refresh_token(client, rows[0])
        try:
            claims = await self.verifier.verify(token)
        except (UnauthenticatedError, TokenExpiredError):
            return INACTIVE
        scopes = await self._scopes(claims) if _may_know(client, claims) else None
        return INACTIVE if scopes is None else self._access_token(claims, scopes)

    async def revoke(self, client: Client, token: str, call: Call) -> None:
        """Ends the authorization that a token came of, if it is the application's own.

        A token that is expired or was used before ends it as well: whoever has it may
        not wish for more.
        """
        presented = self.refresh_tokens.read(token)
        if presented is not None:
            rows = await self.reads.fetch(SEEDS, [presented.owner_id])
            known = bool(rows) and self.refresh_tokens.is_ours(presented, rows[0].refresh_seed)
            if known and rows[0].application_id == client.id:
                await self.ends.revoked(client, presented.owner_id, call)
            return
        try:
            claims = await self.verifier.verify_expired(token)
        except UnauthenticatedError:
            return
        if claims.kind != self.kinds.grant.name or _client_id(claims) != client.client_id:
            return
        # The authorization is that of the application that it was exchanged with.
        if is_exchanged(claims):
            return
        living = await self.grants.living(claims)
        if living is not None:
            await self.ends.revoked(client, living.authorization_id, call)

    async def user_info(
        self, access_token: str, jkt: str, certificate: bytes
    ) -> pb.GetUserInfoResponse:
        """What the token's person lets the application know.

        Args:
            jkt: the thumbprint of the key that was proved; "" if it comes as a bearer token.
            certificate: of the TLS connection; b"" if none is known.

        Raises:
            InvalidTokenError: if the token is not active, of no person, or bound to another key
                or none.
            InsufficientScopeError: if it lacks "openid".
        """
        try:
            claims = await self.verifier.verify(access_token)
        except (UnauthenticatedError, TokenExpiredError):
            raise InvalidTokenError from None
        _require_key(claims, jkt, certificate)
        grant = await self._grant(claims)
        if grant is None or grant.account is None or claims.kind != self.kinds.grant.name:
            raise InvalidTokenError
        scopes = (claims.scopes or frozenset()) & (grant.scopes or frozenset())
        if OPENID not in scopes:
            raise InsufficientScopeError('the access token lacks the scope "openid"')
        assert isinstance(grant.account, Account)
        return pb.GetUserInfoResponse(sub=str(claims.subject), **claims_of(grant.account, scopes))

    async def _scopes(self, claims: Claims) -> frozenset[str] | None:
        """The scopes of a token that it passes on now; None if it is not active."""
        if claims.kind == self.kinds.grant.name:
            allowed = await self.grants.allowed_scopes(claims)
        else:
            grant = await self._grant(claims)
            allowed = frozenset().union(*grant.permissions.values()) if grant else None
        return None if allowed is None else (claims.scopes or frozenset()) & allowed

    async def _grant(self, claims: Claims) -> Grant | None:
        """What a token allows at this moment; None if it is not active."""
        authenticator = self.by_kind[claims.kind]
        principal = authenticator.principal(claims)
        return await authenticator.grant(claims, principal, with_permissions=False)

    def _refresh_token(self, client: Client, row: Any) -> pb.IntrospectResponse:
        # It is for the application itself; nobody else has a use for it.
        if row.application_id != client.id:
            return INACTIVE
        return pb.IntrospectResponse(
            active=True,
            scope=" ".join(sorted(frozenset(row.scopes) & client.scopes)),
            client_id=client.client_id,
            exp=int(row.expires_at.timestamp()),
            iat=int(row.last_used_at.timestamp()),
            sub=str(self.subjects.of(client, row.user_id)),
            iss=self.kinds.issuer,
            org=str(row.organization_id or ""),
            acr=row.acr,
            amr=row.amr,
            auth_time=int(row.auth_time.timestamp()),
        )

    def _access_token(self, claims: Claims, scopes: frozenset[str]) -> pb.IntrospectResponse:
        private = claims.private
        return pb.IntrospectResponse(
            active=True,
            scope=" ".join(sorted(scopes)),
            client_id=_client_id(claims),
            token_type=messages.token_type(_jkt(claims)),
            exp=int(claims.expires_at.timestamp()),
            iat=claims.issued_at,
            sub=str(claims.subject),
            aud=claims.audience,
            iss=self.kinds.issuer,
            jti=claims.token_id,
            org=str(claims.organization_id or ""),
            acr=str(private.get("acr", "")),
            amr=private.get("amr", ()),
            auth_time=int(private.get("auth_time", 0)),
            cnf=_confirmation(claims),
            act=messages.actor(private[ACT]) if ACT in private else None,
        )


def _client_id(claims: Claims) -> str:
    return str(claims.private["client_id"])


def _jkt(claims: Claims) -> str:
    """The thumbprint of the key that a token is bound to; "" for a bearer token."""
    return confirmation(claims.private) or ""


def _confirmation(claims: Claims) -> pb.Confirmation | None:
    if certificate := bound_certificate(claims.private):
        return pb.Confirmation(x5t_s256=certificate)
    return pb.Confirmation(jkt=jkt) if (jkt := _jkt(claims)) else None


def _require_key(claims: Claims, jkt: str, certificate: bytes) -> None:
    """Refuses a token that is presented otherwise than it was issued (RFC 9449, section 7.1).

    Raises:
        InvalidTokenError: if it is bound to a key and another or none was proved, or the
            other way round; or to another certificate (RFC 8705, section 3).
    """
    if bound_certificate(claims.private):
        if jkt or not is_bound_to(claims.private, certificate):
            raise InvalidTokenError(error_description="the token is bound to another certificate")
        return
    if _jkt(claims) != jkt:
        bound = "the token is bound to a key: it comes with the scheme DPoP and a proof of that key"
        raise InvalidTokenError(
            error_description="the token is bound to no key" if not _jkt(claims) else bound
        )


def _may_know(client: Client, claims: Claims) -> bool:
    """Whether an application may ask about a token: its own, or one for its organization."""
    own = _client_id(claims) == client.client_id
    return own or claims.organization_id == client.organization_id
