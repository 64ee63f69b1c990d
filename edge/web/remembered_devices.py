"""The devices on which a person is not asked for the second step, as several pages need them."""

from __future__ import annotations

from collections.abc import Sequence

from portico.auth.v1 import remembered_device_service_pb2 as pb

from edge.web.core_client import CoreError
from edge.web.visit import Visit

_GONE = ("REMEMBERED_DEVICE_NOT_FOUND", "VALIDATION_ERROR")


async def list_devices(visit: Visit) -> Sequence[pb.RememberedDevice]:
    """The devices; the one that the person is using comes first, then the newest.

    Raises:
        SignedOutError: if nobody is signed in.
        CoreError: if the core refuses or does not answer.
    """
    devices = visit.site.core.remembered_devices
    answer = await visit.ask_as_person(
        devices.ListRememberedDevices, pb.ListRememberedDevicesRequest()
    )
    return sorted(answer.devices, key=lambda each: not each.current)


async def forget(visit: Visit, device_id: str) -> None:
    """Forgets a device. Another window may have done so, or the end of its session.

    Raises:
        SignedOutError: if nobody is signed in.
        CoreError: if the core does not answer.
    """
    request = pb.DeleteRememberedDeviceRequest(device_id=device_id)
    try:
        await visit.ask_as_person(
            visit.site.core.remembered_devices.DeleteRememberedDevice, request
        )
    except CoreError as error:
        if error.reason not in _GONE:
            raise


async def forget_all(visit: Visit) -> None:
    """Forgets all of them.

    Raises:
        SignedOutError: if nobody is signed in.
        CoreError: if the core does not answer.
    """
    for device in await list_devices(visit):
        await forget(visit, device.id)
