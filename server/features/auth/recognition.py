"""Whether a sign-in is from where the person has signed in before, and the mail if it is not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from portico_kit.call import Call
from portico_kit.errors import UnavailableError
from portico_kit.storage.reads import Reads
from server.common.limiter import RateLimitExceededError
from server.features.auth.authenticator import acting_person
from server.features.auth.devices import Device, Devices
from server.features.auth.mails import NEW_SIGN_IN
from server.features.auth.models import Session
from server.features.auth.places import DEVICES, MOST, PlaceRepository
from server.features.auth.reports import ReportTokens
from server.features.auth.suspicion import UNRECOGNIZED
from server.features.auth.user_agents import program
from server.features.emails.budgets import MailBudgets
from server.features.emails.facade import Mailer
from server.features.users.facade import Account
from server.features.users.notices import UNKNOWN_ADDRESS, readable


@dataclass(frozen=True, slots=True)
class Recognition:
    """Remembers the devices and networks of each account."""

    reads: Reads
    devices: Devices
    reports: ReportTokens
    mailer: Mailer
    budgets: MailBudgets

    async def known_device(self, device: Device, user_id: UUID) -> bytes | None:
        """The hash of a device from which the person has signed in before; None for others.

        The id of nobody takes the same time.
        """
        if not device.presented:
            return None
        device_hash = self.devices.device_hash(device, user_id)
        found = await self.reads.fetch(DEVICES, [device_hash], user_id=user_id)
        return device_hash if found else None

    async def note(
        self, account: Account, session: Session, device_hash: bytes, call: Call
    ) -> None:
        """Remembers where a session began; if that is new, the person gets a mail.

        Nothing is new at the first sign-in of an account.
        """
        network_hash = self.devices.network_hash(session.ip_address, account.id)
        repository = PlaceRepository(call.db)
        places = await repository.see(account.id, device_hash, network_hash, call.now)
        new = [place for place in places if place.is_new]
        for place in new:
            if place.known >= MOST:
                await repository.trim(account.id, place.kind)
        if new and any(place.known for place in places):
            await self._report(account, session, {place.kind for place in new}, call)

    async def _report(self, account: Account, session: Session, new: set[str], call: Call) -> None:
        UNRECOGNIZED.inc()
        call.record(
            "session.unrecognized",
            target_id=session.id,
            details={"new": sorted(new)},
            actor=acting_person(account.id, session.id),
        )
        with suppress(RateLimitExceededError, UnavailableError):
            await self.budgets.charge(call, account.email, "new_sign_in")
            self.mailer.send(
                call,
                account.email,
                NEW_SIGN_IN,
                token=self.reports.token(session.id),
                display_name=account.display_name,
                device_name=program(session.user_agent),
                client_address=session.ip_address or UNKNOWN_ADDRESS,
                signed_in_at=readable(call.now),
            )
