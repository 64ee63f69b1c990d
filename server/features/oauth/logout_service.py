"""Logouts: the methods."""

from __future__ import annotations

from dataclasses import dataclass

from portico.oauth.v1 import logout_service_pb2 as pb
from portico.oauth.v1.authorization_service_pb2 import AuthorizationError

from portico_kit.call import Call
from portico_kit.clock import timestamp
from portico_kit.errors import NotFoundError
from portico_kit.ids import parse_id
from portico_kit.paging import Cursors
from server.features.applications.facade import Applications
from server.features.oauth.frontchannel import FrontchannelLogouts
from server.features.oauth.logout_repository import LogoutRepository
from server.features.oauth.logouts import (
    INVALID,
    LogoutRequest,
    LogoutRequests,
    RefusedLogoutError,
)
from server.features.oauth.models import StoredLogout


@dataclass(frozen=True, slots=True)
class LogoutService:
    """Serves portico.oauth.v1.LogoutService."""

    requests: LogoutRequests
    frontchannel: FrontchannelLogouts
    applications: Applications
    cursors: Cursors

    async def BeginLogout(
        self, request: pb.BeginLogoutRequest, call: Call
    ) -> pb.BeginLogoutResponse:
        try:
            checked = await self.requests.check(request.parameters)
        except RefusedLogoutError as refusal:
            return pb.BeginLogoutResponse(error=_error(refusal))
        # There is no session that could be the hint's; that it is ours is all there is to know.
        return pb.BeginLogoutResponse(logout=_logout(checked, is_known=bool(checked.session)))

    async def GetLogout(self, request: pb.GetLogoutRequest, call: Call) -> pb.GetLogoutResponse:
        try:
            checked = await self.requests.check(request.parameters)
        except RefusedLogoutError as refusal:
            return pb.GetLogoutResponse(error=_error(refusal))
        session_id = call.principal.session_id
        logout = _logout(checked, is_known=self.requests.is_about(checked, session_id))
        if session_id is not None:
            logout.frontchannel_logout_uris.extend(await self.frontchannel.of(session_id, call))
        return pb.GetLogoutResponse(logout=logout)

    async def ListApplicationLogouts(
        self, request: pb.ListApplicationLogoutsRequest, call: Call
    ) -> pb.ListApplicationLogoutsResponse:
        client = await self.applications.find_by_id(parse_id(request.application_id))
        if client is None:
            raise NotFoundError
        call.authorize(client.organization_id)
        call.require_unbound()
        paging = self.cursors.paging(request, client.id)
        page = await LogoutRepository(call.db).list(client.id, paging, self.cursors)
        return pb.ListApplicationLogoutsResponse(
            logouts=[_shown(row) for row in page.rows],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )


def _error(refusal: RefusedLogoutError) -> AuthorizationError:
    return AuthorizationError(error=INVALID, error_description=str(refusal))


def _logout(request: LogoutRequest, *, is_known: bool) -> pb.Logout:
    client = request.client
    return pb.Logout(
        client_id=client.client_id if client else "",
        application_name=client.name if client else "",
        redirect_uri=request.redirect_uri,
        confirmation_needed=not is_known,
    )


def _shown(row: StoredLogout) -> pb.ApplicationLogout:
    return pb.ApplicationLogout(
        id=str(row.id),
        status=row.status,
        ended_at=timestamp(row.ended_at),
        attempt_count=row.attempt_count,
        next_attempt_at=timestamp(row.next_attempt_at),
        settled_at=timestamp(row.settled_at),
        response_status=row.response_status or 0,
        error=row.error,
    )
