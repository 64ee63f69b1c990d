"""Authorization requests, from the browser to the code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_bytes
from uuid import UUID

import jwt

from portico_kit.assurance import Assurance, Authentication, amr, assurance, last
from portico_kit.call import Call
from portico_kit.errors import UnauthenticatedError
from portico_kit.ids import new_id
from portico_kit.oauth_scopes import OFFLINE_ACCESS
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.features.applications.facade import (
    CREATED,
    NO_AUTHENTICATION,
    Applications,
    Client,
    DocumentRefusedError,
    InvalidClientError,
)
from server.features.auth.signing_keys import SigningKeys
from server.features.auth.standings import SessionStandings
from server.features.oauth import messages
from server.features.oauth.codes import PURPOSE as CODE_PURPOSE
from server.features.oauth.decisions import (
    Choice,
    Decision,
    Facts,
    chosen,
    decide,
    given_of,
    required_of,
)
from server.features.oauth.errors import (
    AuthorizationExpiredError,
    AuthorizationNotReadyError,
    InvalidDpopProofError,
    named,
)
from server.features.oauth.models import (
    CODE_LIFETIME,
    SEED_BYTES,
    StoredAuthorization,
    StoredCode,
    StoredGrant,
)
from server.features.oauth.pushed import REQUEST_URI_PREFIX, PushedRequests
from server.features.oauth.repository import AuthorizationRepository, GrantRepository
from server.features.oauth.requests import (
    INVALID_REQUEST_OBJECT,
    AuthorizationRequest,
    Parameters,
    RefusedRequestError,
    Response,
    SealedRequests,
    failure,
    parse,
    refusal,
    response_mode,
    signed_parameters,
    success,
)
from server.features.oauth.subjects import Subjects
from server.features.organizations.facade import Tenants, level_due

CODE_GRANT = "authorization_code"
REQUEST_PURPOSE = "oauth-request"
WRONG_REDIRECT_URI = "redirect_uri is missing, there twice, or is not one of the application's"
ID_TOKEN_ALGORITHMS = ("RS256", "ES256")


@dataclass(frozen=True, slots=True)
class NotTrusted:
    """A request whose client or redirect URI is not to be trusted: nobody is sent anywhere."""

    error: str
    description: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that can be put before a person."""

    request: AuthorizationRequest
    client: Client


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what it needs next of the person who is signed in."""

    request: AuthorizationRequest
    client: Client
    decision: Decision
    shown: Sequence[Authentication]


@dataclass(frozen=True, slots=True)
class Authorizations:
    """Decides them."""

    issuer: str
    applications: Applications
    tenants: Tenants
    standings: SessionStandings
    signing_keys: SigningKeys
    subjects: Subjects
    sealed: SealedRequests
    secrets: Secrets
    pushed: PushedRequests

    async def begin(
        self, given: Iterable[tuple[str, str]], call: Call
    ) -> NotTrusted | Response | Begun:
        """What becomes of a request that has just come."""
        parameters = Parameters(given)
        address = call.client.address
        try:
            client = await self.applications.find_to_ask(parameters.first("client_id"), address)
        except DocumentRefusedError as error:
            return NotTrusted("invalid_client", error.description)
        if client is None:
            return NotTrusted("invalid_client", "client_id is missing, unknown or there twice")
        request_uri = parameters.first("request_uri")
        if request_uri.startswith(REQUEST_URI_PREFIX) and not parameters.all("request"):
            return await self._begin_pushed(client, request_uri, call)
        try:
            if request_uri and not parameters.all("request"):
                raise RefusedRequestError(
                    "request_uri_not_supported", "request_uri must be of a pushed request"
                )
            parameters = await self._signed(client, parameters, once=False)
            _require_redirect_uri(client, parameters)
            if client.require_pushed_authorization_requests:
                raise RefusedRequestError(
                    "invalid_request", "requests of this application must be pushed"
                )
            request = await self._parsed(client, parameters, call)
        except RefusedRequestError as error:
            return self._refused(client, parameters, error)
        return Begun(request, client)

    def _refused(
        self, client: Client, parameters: Parameters, error: RefusedRequestError
    ) -> NotTrusted | Response:
        """The refusal of a request: for the client, if its redirect URI is one of its own.

        Args:
            parameters: those of the address if a request object is none of the client's. Where
                they lead, a request without one would lead as well.
        """
        redirect_uri = parameters.first("redirect_uri")
        if not redirect_uri or not client.allows_redirect_uri(redirect_uri):
            return NotTrusted(error.error, error.description)
        mode = _mode(parameters)
        return refusal(redirect_uri, mode, parameters.first("state"), error, self.issuer)

    async def push(
        self, client: Client, given: Iterable[tuple[str, str]], jkt: str, call: Call
    ) -> str:
        """The request_uri of a request that a client has sent itself.

        Args:
            given: the parameters, without those by which the client authenticates.
            jkt: the thumbprint of the key that the client has proved to have; "" for none.

        Raises:
            DomainError: as the authorization endpoint would refuse the request.
            UnavailableError: if it cannot be kept.
        """
        parameters = Parameters(given)
        try:
            _require_own(client, parameters)
            parameters = await self._signed(client, parameters, once=True)
            _require_redirect_uri(client, parameters)
            request = await self._parsed(client, parameters, call)
        except RefusedRequestError as error:
            raise named(error.error, error.description) from None
        if jkt and request.dpop_jkt not in ("", jkt):
            raise InvalidDpopProofError("dpop_jkt is not the key of the proof")
        kept = replace(request, dpop_jkt=jkt or request.dpop_jkt, pushed=True)
        return await self.pushed.keep(kept)

    async def _begin_pushed(
        self, client: Client, request_uri: str, call: Call
    ) -> NotTrusted | Begun:
        """What becomes of a request that was pushed; the parameters beside it count for nothing."""
        request = await self.pushed.find(client.client_id, request_uri, call.now)
        if request is None or not _is_answerable(client, request):
            return NotTrusted(
                "invalid_request_uri",
                "the request_uri is not valid, was used before, or its time is over",
            )
        return Begun(request, client)

    async def _signed(self, client: Client, parameters: Parameters, *, once: bool) -> Parameters:
        """The parameters that count: those of a request object alone, if there is one (RFC 9101).

        Args:
            once: whether it is good a single time if it has a name.

        Raises:
            RefusedRequestError: if it is none of the client, or is missing and must be there.
            UnavailableError: if nobody can say whether it came before.
        """
        text = parameters.one("request")
        if not text:
            if client.require_signed_request_object:
                raise RefusedRequestError(
                    "invalid_request", "requests of this application must be signed"
                )
            return parameters
        if parameters.all("request_uri"):
            raise RefusedRequestError("invalid_request", "there are request and request_uri")
        try:
            claims = await self.applications.request_object(client, text, self.issuer, once=once)
        except InvalidClientError as error:
            why = error.metadata.get("error_description", "the client has not signed it")
            raise RefusedRequestError(INVALID_REQUEST_OBJECT, why) from None
        signed = signed_parameters(claims, text)
        if signed.one("client_id") != client.client_id:
            raise RefusedRequestError(INVALID_REQUEST_OBJECT, "client_id is another one")
        return signed

    async def _parsed(
        self, client: Client, parameters: Parameters, call: Call
    ) -> AuthorizationRequest:
        """The request of a client, whose redirect URI has been looked at.

        Raises:
            RefusedRequestError: with what the client is to be answered.
        """
        _require_code_grant(client)
        hinted = await self._hinted(parameters.first("id_token_hint"), client)
        return parse(parameters, client, issuer=self.issuer, hinted=hinted, now=call.now)

    async def open(self, request_id: str, call: Call) -> Begun:
        """A request that was begun before, of an application that may still be used.

        Raises:
            AuthorizationExpiredError: if it is none of ours, or can lead nowhere any more.
        """
        request = self.sealed.open(request_id, call.now)
        if request is None:
            raise AuthorizationExpiredError
        try:
            client = await self.applications.find_to_ask(request.client_id, call.client.address)
        except DocumentRefusedError:
            client = None
        if client is None:
            raise AuthorizationExpiredError
        if not _is_answerable(client, request):
            raise AuthorizationExpiredError
        return Begun(request, client)

    async def ask(self, request_id: str, call: Call) -> Asked:
        """What a request needs next of the caller.

        Raises:
            AuthorizationExpiredError: see `open`.
        """
        return await self.ask_about(await self.open(request_id, call), call)

    async def ask_about(self, begun: Begun, call: Call) -> Asked:
        """What a request needs next of the caller, however it came."""
        shown = await self._shown(call)
        facts = Facts(
            subject=str(self.subjects.of(begun.client, call.user_id)),
            shown=shown,
            reachable=await self._reachable(call.user_id, shown),
            choices=await self._choices(begun, call),
            first_party=begun.client.first_party,
            now=call.now,
        )
        return Asked(begun.request, begun.client, decide(begun.request, facts), shown)

    async def approve(
        self,
        request_id: str,
        organization_id: UUID | None,
        scopes: Sequence[str],
        call: Call,
    ) -> Response:
        """The response with a code, for what the person gives the application.

        Raises:
            AuthorizationExpiredError: see `open`.
            AuthorizationNotReadyError: if the person has to do something else first.
            InvalidRequestError: if more is given than was asked for or the person may, or
                less than the application needs.
        """
        begun = await self.open(request_id, call)
        # Before anything is read that another approval of the same may change.
        await GrantRepository(call.db).lock_person(call.user_id, begun.client.id)
        asked = await self.ask_about(begun, call)
        authorization = await self.agree(
            asked, organization_id, scopes, call.now + CODE_LIFETIME, call
        )
        code = self._new_code(asked.request, authorization, call)
        return success(asked.request, code, self.issuer)

    async def agree(
        self,
        asked: Asked,
        organization_id: UUID | None,
        scopes: Sequence[str],
        fetched_until: datetime,
        call: Call,
    ) -> StoredAuthorization:
        """Remembers what a person gives, and makes what the tokens will come of.

        Args:
            fetched_until: when it is over unless somebody has fetched tokens.

        Raises:
            AuthorizationNotReadyError: if the person has to do something else first.
            InvalidRequestError: if more is given than was asked for or the person may.
        """
        if not asked.decision.may_be_approved:
            raise AuthorizationNotReadyError(next=asked.decision.next)
        choice = chosen(asked.decision, asked.request.scopes, organization_id)
        if choice is None:
            raise AuthorizationNotReadyError(next="organization")
        required = required_of(asked.client)
        given = given_of(asked.decision, choice, asked.request.scopes, scopes, required)
        await self._use_up(asked.request, call)
        await self.applications.keep(asked.client, call)
        return await self._give(asked, choice, given, fetched_until, call)

    async def deny(self, request_id: str, description: str, call: Call) -> Response:
        """The response of a person who gives nothing.

        Raises:
            AuthorizationExpiredError: see `open`.
        """
        begun = await self.open(request_id, call)
        await self._use_up(begun.request, call)
        return failure(begun.request, "access_denied", description, self.issuer)

    async def refuse(self, request_id: str, error: str, description: str, call: Call) -> Response:
        """The response with an error.

        Raises:
            AuthorizationExpiredError: see `open`.
        """
        begun = await self.open(request_id, call)
        return failure(begun.request, error, description, self.issuer)

    async def _use_up(self, request: AuthorizationRequest, call: Call) -> None:
        """Lets a pushed request lead to no other decision.

        Raises:
            AuthorizationExpiredError: if somebody else has decided it.
            UnavailableError: if nobody can say so.
        """
        if request.pushed and not await self.pushed.decide(request, call.user_id):
            raise AuthorizationExpiredError

    async def _give(
        self,
        asked: Asked,
        choice: Choice,
        scopes: tuple[str, ...],
        fetched_until: datetime,
        call: Call,
    ) -> StoredAuthorization:
        request, stored = asked.request, AuthorizationRepository(call.db)
        request_hash = self.secrets.mac(REQUEST_PURPOSE, f"{request.jti} {call.user_id}")
        await stored.take_back(request_hash)
        left_out = frozenset(choice.wanted(request.scopes)) - frozenset(scopes)
        grant = await _consent(asked.client, choice, scopes, left_out, call)
        authorization = _authorization(asked, grant, scopes, request_hash, call)
        authorization.session_began_at = await self._session_began_at(call)
        authorization.expires_at = fetched_until
        stored.add(authorization)
        await call.db.flush()
        return authorization

    def _new_code(
        self, request: AuthorizationRequest, authorization: StoredAuthorization, call: Call
    ) -> str:
        """The code of an approval."""
        code = new_token()
        AuthorizationRepository(call.db).add_code(
            StoredCode(
                code_hash=self.secrets.mac(CODE_PURPOSE, code),
                authorization_id=authorization.id,
                redirect_uri=request.redirect_uri,
                code_challenge=request.code_challenge,
                expires_at=call.now + CODE_LIFETIME,
            )
        )
        return code

    async def _shown(self, call: Call) -> Sequence[Authentication]:
        session_id = call.principal.session_id
        shown = await self.standings.shown(session_id) if session_id else None
        if shown is None:
            raise UnauthenticatedError
        return shown

    async def _session_began_at(self, call: Call) -> datetime:
        """When the caller's session began.

        Tokens hang on that, not on the moment of the approval: one that comes while the owner
        takes the account back from somebody is worth no more than the session that it came in.
        """
        session_id = call.principal.session_id
        began = await self.standings.began(session_id) if session_id else None
        if began is None:
            raise UnauthenticatedError
        return began

    async def _reachable(
        self, user_id: UUID, shown: Sequence[Authentication]
    ) -> frozenset[Assurance]:
        levels = [level for level in Assurance if level > Assurance.NONE]
        return frozenset(
            [level for level in levels if await self.standings.can_show(user_id, shown, level)]
        )

    async def _choices(self, begun: Begun, call: Call) -> Sequence[Choice]:
        """The person's organizations, with what the application was given there before."""
        grants = await self._known_grants(begun, call)
        rights = await self.tenants.member_rights(call.user_id)
        required = required_of(begun.client)
        choices = [_remembered(Choice(None), grants, required)]
        for organization_id, held in rights.permissions.items():
            view = await self.tenants.find(organization_id)
            demands = rights.demands.get(organization_id, ())
            if view is not None:
                level = level_due(demands, call.now)
                choice = Choice(organization_id, view.name, held, level)
                choices.append(_remembered(choice, grants, required))
        return choices

    async def _known_grants(self, begun: Begun, call: Call) -> Mapping[UUID | None, StoredGrant]:
        """What the person gave the application before, where that need not be asked once more.

        One that nobody created is only as much the same one as the place that the code goes to
        (RFC 8252, section 8.6): a program on the person's machine may be any, and a document
        may name another place by now.
        """
        client, redirect_uri = begun.client, begun.request.redirect_uri
        if client.origin != CREATED:
            known = await self.applications.find(client.client_id)
            if known is None or not known.allows_redirect_uri(redirect_uri):
                return {}
            is_public = client.token_endpoint_auth_method == NO_AUTHENTICATION
            if is_public and not redirect_uri.startswith("https://"):
                return {}
        return await GrantRepository(call.db).active(call.user_id, client.id)

    async def _hinted(self, hint: str, client: Client) -> str | None:
        """Whom an ID token of this client names; "" for none, None if it is no good.

        One that has expired is still a hint (OpenID Connect Core, section 3.1.2.1).
        """
        if not hint:
            return ""
        try:
            kid = str(jwt.get_unverified_header(hint).get("kid", ""))
            key = await self.signing_keys.any_key(kid)
            if key is None:
                return None
            claims = jwt.decode(
                hint,
                key,
                algorithms=ID_TOKEN_ALGORITHMS,
                audience=client.client_id,
                issuer=self.issuer,
                options={"verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        # An access token of a machine has another audience: it cannot pass for one.
        return str(claims["sub"]) if claims.get("sub") else None


async def _consent(
    client: Client,
    choice: Choice,
    scopes: tuple[str, ...],
    left_out: frozenset[str],
    call: Call,
) -> StoredGrant:
    """The grant of the person, which remembers these scopes from now on."""
    grants = GrantRepository(call.db)
    known = (await grants.active(call.user_id, client.id)).get(choice.id)
    if known is not None:
        if known.widen(scopes, left_out, call.now):
            _record("grant.updated", known, client, choice, call)
        return known
    await grants.revoke_left(call.user_id, client.id, choice.id, call.now)
    grant = StoredGrant(
        id=new_id(),
        user_id=call.user_id,
        application_id=client.id,
        organization_id=choice.id,
        scopes=sorted(scopes),
        declined_scopes=sorted(left_out),
        created_at=call.now,
        updated_at=call.now,
    )
    grants.add(grant)
    await call.db.flush()
    _record("grant.created", grant, client, choice, call)
    return grant


def _record(action: str, grant: StoredGrant, client: Client, choice: Choice, call: Call) -> None:
    call.record(
        action,
        organization_id=grant.organization_id,
        target_id=grant.id,
        data=messages.grant(grant, client, choice.name),
    )


def _authorization(
    asked: Asked, grant: StoredGrant, scopes: tuple[str, ...], request_hash: bytes, call: Call
) -> StoredAuthorization:
    request, client = asked.request, asked.client
    assert call.principal.session_id is not None
    return StoredAuthorization(
        id=new_id(),
        grant_id=grant.id,
        session_id=call.principal.session_id,
        request_hash=request_hash,
        offline=OFFLINE_ACCESS in scopes,
        scopes=list(scopes),
        claims=list(request.claims),
        acr=assurance(asked.shown).acr,
        amr=amr(asked.shown),
        auth_time=last(asked.shown) or call.now,
        nonce=request.nonce,
        dpop_jkt=request.dpop_jkt,
        refresh_counter=0,
        refresh_seed=token_bytes(SEED_BYTES),
        created_at=call.now,
        absolute_expires_at=call.now + client.refresh_token_lifetime,
    )


def _remembered(
    choice: Choice, grants: Mapping[UUID | None, StoredGrant], required: frozenset[str]
) -> Choice:
    """A choice with what the person decided there before.

    What the application cannot do without is asked for again, though it was left out.
    """
    grant = grants.get(choice.id)
    if grant is None:
        return choice
    return replace(
        choice,
        granted=frozenset(grant.scopes),
        declined=frozenset(grant.declined_scopes) - required,
    )


def _is_answerable(client: Client, request: AuthorizationRequest) -> bool:
    """Whether a request of before is still one that its client may make."""
    may = CODE_GRANT in client.grant_types
    return may and client.allows_redirect_uri(request.redirect_uri)


def _require_own(client: Client, parameters: Parameters) -> None:
    """Refuses a pushed request that is not the client's own (RFC 9126, section 2.1)."""
    if parameters.one("client_id") not in ("", client.client_id):
        raise RefusedRequestError("invalid_request", "client_id is that of another application")
    if parameters.all("request_uri"):
        raise RefusedRequestError("invalid_request", "request_uri cannot be pushed")


def _require_redirect_uri(client: Client, parameters: Parameters) -> None:
    if not client.allows_redirect_uri(parameters.one("redirect_uri")):
        raise RefusedRequestError("invalid_request", WRONG_REDIRECT_URI)


def _require_code_grant(client: Client) -> None:
    if CODE_GRANT not in client.grant_types:
        raise RefusedRequestError(
            "unauthorized_client", "the application may not use authorization codes"
        )


def _mode(parameters: Parameters) -> str:
    """How a refusal is given: as it was asked for, if that was understood."""
    try:
        return response_mode(parameters)
    except RefusedRequestError:
        return "query"
