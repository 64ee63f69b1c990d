"""Remembered devices at a sign-in, and the verbs of their list."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from portico.auth.v1 import remembered_device_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.clock import timestamp
from portico_kit.ids import parse_id
from server.features.auth.authenticator import acting_person
from server.features.auth.devices import Device, Devices
from server.features.auth.errors import RememberedDeviceNotFoundError
from server.features.auth.models import RememberedDevice
from server.features.auth.remembered_devices import RememberedDeviceRepository


@dataclass(frozen=True, slots=True)
class RememberedDevices:
    """Knows at a sign-in whether the device is remembered."""

    devices: Devices

    async def knows(self, user_id: UUID, device: Device, call: Call) -> bool:
        """Whether the person is not asked on this device. The account is locked."""
        if not device.presented:
            return False
        device_hash = self.devices.device_hash(device, user_id)
        return await RememberedDeviceRepository(call.db).is_good(user_id, device_hash, call.now)

    async def remember(self, user_id: UUID, device: Device, call: Call) -> None:
        """Remembers the device, unless an organization of the person forbids it."""
        repository = RememberedDeviceRepository(call.db)
        if not await repository.may_be(user_id):
            return
        device_id = await repository.remember(
            user_id,
            self.devices.device_hash(device, user_id),
            call.client.user_agent,
            call.client.address,
            call.now,
        )
        await repository.trim(user_id)
        call.record("device.remembered", target_id=device_id, actor=acting_person(user_id))


class RememberedDeviceService:
    """Serves portico.auth.v1.RememberedDeviceService."""

    async def ListRememberedDevices(
        self, request: pb.ListRememberedDevicesRequest, call: Call
    ) -> pb.ListRememberedDevicesResponse:
        """The caller's devices."""
        found = await RememberedDeviceRepository(call.db).list(
            call.user_id, call.principal.session_id, call.now
        )
        return pb.ListRememberedDevicesResponse(devices=[_message(*each) for each in found])

    async def DeleteRememberedDevice(
        self, request: pb.DeleteRememberedDeviceRequest, call: Call
    ) -> pb.DeleteRememberedDeviceResponse:
        """Forgets one of the caller's devices."""
        device_id = parse_id(request.device_id)
        if not await RememberedDeviceRepository(call.db).forget(call.user_id, device_id):
            raise RememberedDeviceNotFoundError
        call.record("device.forgotten", target_id=device_id)
        return pb.DeleteRememberedDeviceResponse()


def _message(row: RememberedDevice, current: bool) -> pb.RememberedDevice:
    return pb.RememberedDevice(
        id=str(row.id),
        user_agent=row.user_agent,
        ip_address=row.ip_address,
        created_at=timestamp(row.created_at),
        expires_at=timestamp(row.expires_at),
        current=current,
    )
