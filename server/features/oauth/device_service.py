"""Device authorizations: the methods."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from portico.oauth.v1 import device_service_pb2 as pb
from portico.oauth.v1 import token_service_pb2 as tokens

from portico_kit.call import Call
from portico_kit.ids import parse_id
from portico_kit.oauth_scopes import PERSONAL_SCOPES
from server.features.applications.facade import Client
from server.features.oauth import messages
from server.features.oauth.authorization_service import granted, new, organization
from server.features.oauth.devices import INTERVAL, LIFETIME, DeviceAuthorizations

# The page where people type their codes, behind the issuer.
PAGE = "/device"


@dataclass(frozen=True, slots=True)
class DeviceService:
    """Serves portico.oauth.v1.DeviceService.

    Attributes:
        authenticate: gives the client that a request is from, by what it presents at an endpoint.
    """

    devices: DeviceAuthorizations
    authenticate: Callable[[tokens.ClientCredentials, str], Awaitable[Client]]

    async def AuthorizeDevice(
        self, request: pb.AuthorizeDeviceRequest, call: Call
    ) -> pb.AuthorizeDeviceResponse:
        client = await self.authenticate(request.client, "device_authorization")
        codes = await self.devices.begin(client, request.scope, request.resource, call)
        page = f"{self.devices.issuer}{PAGE}"
        return pb.AuthorizeDeviceResponse(
            device_code=codes.device_code,
            user_code=codes.user_code,
            verification_uri=page,
            verification_uri_complete=f"{page}?user_code={codes.user_code}",
            expires_in=int(LIFETIME.total_seconds()),
            interval=int(INTERVAL.total_seconds()),
        )

    async def GetDeviceAuthorization(
        self, request: pb.GetDeviceAuthorizationRequest, call: Call
    ) -> pb.GetDeviceAuthorizationResponse:
        found = await self.devices.ask(request.user_code, call)
        asked, decision = found.asked, found.asked.decision
        # There is nobody to respond to: the device hears of it when the person denies.
        return pb.GetDeviceAuthorizationResponse(
            next="deny" if decision.next == "respond" else decision.next,
            authorization=messages.device_authorization(
                found.stored, asked.request, asked.client, found.user_code
            ),
            organizations=[
                organization(asked, each) for each in decision.choices if each.id is not None
            ],
            personal_scopes=[each for each in asked.request.scopes if each in PERSONAL_SCOPES],
            granted_scopes=granted(asked),
            new_scopes=new(asked),
            acr_values=[level.acr for level in decision.levels],
        )

    async def ApproveDeviceAuthorization(
        self, request: pb.ApproveDeviceAuthorizationRequest, call: Call
    ) -> pb.ApproveDeviceAuthorizationResponse:
        organization_id = parse_id(request.organization_id) if request.organization_id else None
        await self.devices.approve(request.user_code, organization_id, request.scopes, call)
        return pb.ApproveDeviceAuthorizationResponse()

    async def DenyDeviceAuthorization(
        self, request: pb.DenyDeviceAuthorizationRequest, call: Call
    ) -> pb.DenyDeviceAuthorizationResponse:
        await self.devices.deny(request.user_code, call)
        return pb.DenyDeviceAuthorizationResponse()
