"""Devices without a browser, and the people who answer them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from grpc import aio
from portico.oauth.v1 import device_service_pb2 as pb
from portico.oauth.v1 import token_service_pb2 as token_pb
from portico.oauth.v1.device_service_pb2_grpc import DeviceServiceStub

from tests.core.oauth.conftest import INTERNAL, App
from tests.core.world import Person
from tests.support.addresses import new_address

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class Device:
    """A device with an application, and the codes that it got.

    Attributes:
        edge: a channel as the gateway has one, which may say where a call comes from.
    """

    app: App
    edge: aio.Channel | None = None
    # Of the device, and of whoever answers it.
    address: str = field(default_factory=new_address)
    codes: pb.AuthorizeDeviceResponse = field(default_factory=pb.AuthorizeDeviceResponse)

    @property
    def stub(self) -> DeviceServiceStub:
        return DeviceServiceStub(self.edge or self.app.world.channel)

    @property
    def from_here(self) -> tuple[tuple[str, str], ...]:
        return (("x-edge-address", self.address),)

    def _metadata(self, person: Person) -> tuple[tuple[str, str], ...]:
        return (*person.metadata, *self.from_here)

    @property
    def user_code(self) -> str:
        """What it shows."""
        return str(self.codes.user_code)

    async def begin(self, **fields: Any) -> Device:
        """The same somewhere, with codes of its own."""
        there = replace(self, address=new_address())
        values = {"client": self.app.credentials, **fields}
        request = pb.AuthorizeDeviceRequest(**values)
        metadata = (*INTERNAL, *there.from_here)
        return replace(there, codes=await self.stub.AuthorizeDevice(request, metadata=metadata))

    async def poll(self, **fields: Any) -> token_pb.IssueTokenResponse:
        """Asks for its tokens."""
        values = {"device_code": self.codes.device_code, **fields}
        return await self.app.issue(GRANT_TYPE, **values)

    async def look(self, person: Person, user_code: str = "") -> pb.GetDeviceAuthorizationResponse:
        """What a person sees who types a code."""
        request = pb.GetDeviceAuthorizationRequest(user_code=user_code or self.user_code)
        return await self.stub.GetDeviceAuthorization(request, metadata=self._metadata(person))

    async def approve(self, person: Person, **fields: Any) -> None:
        """A person allows it."""
        values = {"user_code": self.user_code, **fields}
        request = pb.ApproveDeviceAuthorizationRequest(**values)
        await self.stub.ApproveDeviceAuthorization(request, metadata=self._metadata(person))

    async def deny(self, person: Person) -> None:
        """A person refuses it."""
        request = pb.DenyDeviceAuthorizationRequest(user_code=self.user_code)
        await self.stub.DenyDeviceAuthorization(request, metadata=self._metadata(person))

    async def connected(
        self, person: Person, **fields: Any
    ) -> tuple[Device, token_pb.IssueTokenResponse]:
        """A device that a person has allowed, and its tokens."""
        device = await self.begin(**fields)
        await device.approve(person)
        return device, await device.poll()
