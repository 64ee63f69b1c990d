"""The exchange of a person's token for one of the application that asks (RFC 8693)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.oauth.v1 import token_service_pb2 as pb

from portico_kit.dpop import confirmation
from portico_kit.errors import TokenExpiredError, UnauthenticatedError
from portico_kit.jwt import Claims, TokenVerifier
from portico_kit.oauth_metadata import same_resource
from server.features.applications.facade import Client
from server.features.oauth.authenticators import ApplicationAuthenticator, GrantAuthenticator
from server.features.oauth.delegation import (
    MAX_HOLDERS,
    holders_of,
    may_exchange,
    scopes_of,
)
from server.features.oauth.errors import (
    InvalidOAuthRequestError,
    InvalidScopeError,
    InvalidTargetError,
)
from server.features.oauth.tokens import Issued, OAuthTokens, asked_scopes, of_organizations

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a type
# All of our access tokens are JWTs.
TOKEN_TYPES = (ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt")


@dataclass(frozen=True, slots=True)
class Subject:
    """A token that may be exchanged.

    Attributes:
        user_id: the person for whom it acts.
        scopes: what it allows at this moment.
    """

    claims: Claims
    user_id: UUID
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class TokenExchange:
    """Gives tokens for tokens. Nothing is stored of it, and nothing of the first one changes.

    Attributes:
        issuer: the one service that the tokens can be for: our API.
    """

    issuer: str
    verifier: TokenVerifier
    grants: GrantAuthenticator
    applications: ApplicationAuthenticator
    tokens: OAuthTokens

    async def use(self, client: Client, request: pb.IssueTokenRequest, jkt: str) -> Issued:
        """A token with which the application acts for the person of another one's token.

        Args:
            jkt: the thumbprint of the key that the client has proved to have; "" for none.

        Raises:
            InvalidOAuthRequestError: if a parameter is missing or has another value than it
                may, or one of the tokens is not accepted.
            InvalidTargetError: if the token is wanted for another service.
            InvalidScopeError: if more is asked for than may be passed on, or it is nothing.
        """
        _check_types(request)
        if not all(same_resource(each, self.issuer) for each in request.audience):
            raise InvalidTargetError("the audience is not known here")
        subject = await self._subject(client, request.subject_token)
        await self._check_actor(client, request.actor_token, jkt)
        if confirmation(subject.claims.private) is not None and not jkt:
            raise InvalidOAuthRequestError(
                "the subject token is bound to a key: the header DPoP is missing"
            )
        return self.tokens.exchanged(
            client,
            subject.claims,
            subject.user_id,
            _passed_on(client, subject, request.scope),
            jkt,
            request.requested_token_type or ACCESS_TOKEN,
        )

    async def _subject(self, client: Client, token: str) -> Subject:
        """The token of a person.

        Raises:
            InvalidOAuthRequestError: if it is none, not active, or not for this application.
        """
        claims = await self._verified(token)
        living = None
        if claims is not None and claims.kind == self.grants.kind.name:
            living = await self.grants.living(claims)
        holders = await self.grants.holders(claims, living) if claims and living else None
        if claims is None or living is None or holders is None:
            raise InvalidOAuthRequestError("subject_token is no access token of a person, or over")
        if not may_exchange(holders[-1], client, claims.organization_id):
            raise InvalidOAuthRequestError(
                "this application may not exchange the subject token: the one that has it must"
                " name it, and it must belong to the organization in which the token acts"
            )
        if len(holders_of(claims)) >= MAX_HOLDERS:
            raise InvalidOAuthRequestError("subject_token was exchanged too often")
        scopes = (claims.scopes or frozenset()) & frozenset(living.scopes) & scopes_of(holders)
        return Subject(claims, living.account.id, scopes)

    async def _check_actor(self, client: Client, token: str, jkt: str) -> None:
        """Refuses an actor token that is not the client's own.

        It says what the client has proved already; for another actor it would speak unasked.

        Raises:
            InvalidOAuthRequestError: if it names another, is not active, or bound to another key.
        """
        if not token:
            return
        claims = await self._verified(token)
        if claims is None or claims.kind != self.applications.kind.name:
            raise InvalidOAuthRequestError("actor_token is no access token of an application")
        principal = self.applications.principal(claims)
        grant = await self.applications.grant(claims, principal, with_permissions=False)
        if grant is None or claims.subject != client.id:
            raise InvalidOAuthRequestError("actor_token is over, or another application's")
        bound_to = confirmation(claims.private)
        if bound_to is not None and (not jkt or bound_to != jkt):
            raise InvalidOAuthRequestError("actor_token is bound to another key")

    async def _verified(self, token: str) -> Claims | None:
        try:
            return await self.verifier.verify(token)
        except (UnauthenticatedError, TokenExpiredError):
            return None


def _check_types(request: pb.IssueTokenRequest) -> None:
    """Refuses what RFC 8693, section 2.1 does not allow, or we do not have.

    Raises:
        InvalidOAuthRequestError: saying which parameter it is.
    """
    if not request.subject_token or not request.subject_token_type:
        raise InvalidOAuthRequestError("subject_token or subject_token_type is missing")
    if bool(request.actor_token) != bool(request.actor_token_type):
        raise InvalidOAuthRequestError("actor_token and actor_token_type come together")
    for name in ("subject_token_type", "actor_token_type", "requested_token_type"):
        if getattr(request, name) not in ("", *TOKEN_TYPES):
            raise InvalidOAuthRequestError(f"{name} is not supported")


def _passed_on(client: Client, subject: Subject, asked: str) -> frozenset[str]:
    """The scopes of the new token.

    What concerns the person alone is not passed on: it is the first application to which
    they made themselves known.

    Raises:
        InvalidScopeError: if more is asked for, blanks alone are, or nothing is left.
    """
    allowed = of_organizations(subject.scopes & client.scopes)
    wanted = asked_scopes(asked)
    if not wanted <= allowed:
        raise InvalidScopeError("the scope is more than may be passed on to this application")
    if not allowed:
        raise InvalidScopeError("nothing of the subject token may be passed on")
    return wanted or allowed
