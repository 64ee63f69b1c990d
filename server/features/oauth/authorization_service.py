"""Authorization requests: the methods."""

from __future__ import annotations

from dataclasses import dataclass

from portico.oauth.v1 import authorization_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.ids import parse_id
from portico_kit.oauth_scopes import PERSONAL_SCOPES
from server.features.oauth import messages
from server.features.oauth.authorizations import Asked, Authorizations, NotTrusted
from server.features.oauth.decisions import Choice, required_of
from server.features.oauth.requests import Response, failure

DENIED = "the person refused"
REFUSED = "the request cannot be completed without the person"


@dataclass(frozen=True, slots=True)
class AuthorizationService:
    """Serves portico.oauth.v1.AuthorizationService."""

    authorizations: Authorizations

    async def BeginAuthorization(
        self, request: pb.BeginAuthorizationRequest, call: Call
    ) -> pb.BeginAuthorizationResponse:
        given = [(each.name, each.value) for each in request.parameters]
        begun = await self.authorizations.begin(given, call)
        if isinstance(begun, NotTrusted):
            error = pb.AuthorizationError(error=begun.error, error_description=begun.description)
            return pb.BeginAuthorizationResponse(error=error)
        if isinstance(begun, Response):
            return pb.BeginAuthorizationResponse(response=messages.response(begun))
        request_id = self.authorizations.sealed.seal(begun.request)
        shown = messages.authorization(begun.request, begun.client, request_id)
        return pb.BeginAuthorizationResponse(authorization=shown)

    async def GetAuthorization(
        self, request: pb.GetAuthorizationRequest, call: Call
    ) -> pb.GetAuthorizationResponse:
        asked = await self.authorizations.ask(request.request_id, call)
        decision = asked.decision
        return pb.GetAuthorizationResponse(
            next=decision.next,
            authorization=messages.authorization(asked.request, asked.client, request.request_id),
            organizations=[
                organization(asked, each) for each in decision.choices if each.id is not None
            ],
            personal_scopes=[each for each in asked.request.scopes if each in PERSONAL_SCOPES],
            granted_scopes=granted(asked),
            new_scopes=new(asked),
            response=self._response(asked),
            acr_values=[level.acr for level in decision.levels],
            required_scopes=_required(asked),
            declined_scopes=_declined(asked),
        )

    async def ApproveAuthorization(
        self, request: pb.ApproveAuthorizationRequest, call: Call
    ) -> pb.ApproveAuthorizationResponse:
        organization_id = parse_id(request.organization_id) if request.organization_id else None
        response = await self.authorizations.approve(
            request.request_id, organization_id, request.scopes, call
        )
        return pb.ApproveAuthorizationResponse(response=messages.response(response))

    async def DenyAuthorization(
        self, request: pb.DenyAuthorizationRequest, call: Call
    ) -> pb.DenyAuthorizationResponse:
        response = await self.authorizations.deny(request.request_id, DENIED, call)
        return pb.DenyAuthorizationResponse(response=messages.response(response))

    async def RefuseAuthorization(
        self, request: pb.RefuseAuthorizationRequest, call: Call
    ) -> pb.RefuseAuthorizationResponse:
        response = await self.authorizations.refuse(
            request.request_id, request.error, REFUSED, call
        )
        return pb.RefuseAuthorizationResponse(response=messages.response(response))

    def _response(self, asked: Asked) -> pb.AuthorizationResponse | None:
        if asked.decision.next != "respond":
            return None
        error, description = asked.decision.error
        issuer = self.authorizations.issuer
        return messages.response(failure(asked.request, error, description, issuer))


def organization(asked: Asked, choice: Choice) -> pb.AuthorizationOrganization:
    """An organization in which the application can be let in, and what it gets there."""
    scopes = [each for each in choice.wanted(asked.request.scopes) if each not in PERSONAL_SCOPES]
    return pb.AuthorizationOrganization(id=str(choice.id), name=choice.name, scopes=scopes)


def granted(asked: Asked) -> list[str]:
    """What the application was given before, wherever it was."""
    known = {scope for each in asked.decision.choices for scope in each.granted or ()}
    return [each for each in asked.request.scopes if each in known]


def new(asked: Asked) -> list[str]:
    """What the application asks for and was not given before."""
    known = set(granted(asked))
    return [each for each in asked.request.scopes if each not in known]


def _required(asked: Asked) -> list[str]:
    required = required_of(asked.client)
    return [each for each in asked.request.scopes if each in required]


def _declined(asked: Asked) -> list[str]:
    """What the person has left out, and given nowhere."""
    known = {scope for each in asked.decision.choices for scope in each.declined}
    return [each for each in new(asked) if each in known]
