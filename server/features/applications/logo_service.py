"""Logos of applications: the method."""

from __future__ import annotations

from portico.applications.v1 import logo_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.errors import NotFoundError
from portico_kit.ids import parse_id
from server.features.applications.logos import find_logo


class LogoService:
    """Serves portico.applications.v1.LogoService."""

    async def GetLogo(self, request: pb.GetLogoRequest, call: Call) -> pb.GetLogoResponse:
        found = await find_logo(call.db, parse_id(request.application_id), request.digest)
        if found is None:
            raise NotFoundError
        content, content_type = found
        return pb.GetLogoResponse(content=content, content_type=content_type)
