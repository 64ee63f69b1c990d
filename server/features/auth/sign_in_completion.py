"""What follows a first factor, whichever it is: a second one, or a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from portico_kit.assurance import Assurance, Authentication, assurance
from portico_kit.call import Call
from portico_kit.ids import new_id
from server.features.auth import messages
from server.features.auth.authenticator import acting_person
from server.features.auth.challenges import Challenges, NewChallenge
from server.features.auth.devices import Device, Devices
from server.features.auth.email_verification import EmailVerification
from server.features.auth.errors import (
    AccountSuspendedError,
    EmailNotVerifiedError,
    InvalidCredentialsError,
)
from server.features.auth.models import Session
from server.features.auth.recognition import Recognition
from server.features.auth.refusals import refused
from server.features.auth.remembered_device_service import RememberedDevices
from server.features.auth.repository import SessionRepository
from server.features.auth.standings import SessionStandings
from server.features.auth.token_pairs import TokenPair, TokenPairs, TokenSource
from server.features.users.facade import Account, Accounts


@dataclass(frozen=True, slots=True)
class Completed:
    """What somebody gets who has shown a first factor: tokens, or a challenge.

    Attributes:
        asked_from: from when on an organization asks for a factor that the person does not
            have; None if none does.
    """

    account: Account
    device: Device
    pair: TokenPair | None = None
    challenge: NewChallenge | None = None
    asked_from: datetime | None = None

    @property
    def fields(self) -> messages.CompletedFields:
        """What an answer of the contract shows of it."""
        return messages.completed_fields(self)


@dataclass(frozen=True, slots=True)
class SignInCompletion:
    """Starts sessions, and asks for a second factor before."""

    accounts: Accounts
    verification: EmailVerification
    devices: Devices
    recognition: Recognition
    challenges: Challenges
    standings: SessionStandings
    remembered: RememberedDevices
    pairs: TokenPairs

    async def complete(
        self, account: Account, shown: Authentication, device: Device, call: Call
    ) -> Completed:
        """What follows for a person who has shown something else than a password.

        Args:
            account: as it was when that was checked.

        Raises:
            AccountSuspendedError: if the account is suspended.
            EmailNotVerifiedError: if its address is not verified.
            InvalidCredentialsError: if it has changed meanwhile.
        """
        await self.require_allowed(account, call)
        signed_in = await self.accounts.sign_in(call.db, account, call.now, None)
        if signed_in is None:
            raise refused(InvalidCredentialsError(), account.id, call)
        return await self.proceed(signed_in, [shown], device, call)

    async def proceed(
        self, account: Account, shown: Sequence[Authentication], device: Device, call: Call
    ) -> Completed:
        """The same for an account that may sign in, and is locked."""
        needs_second = account.has_second_factor and assurance(shown) < Assurance.AAL2
        if needs_second and not await self.remembered.knows(account.id, device, call):
            device_hash = self.devices.device_hash(device, account.id)
            challenge = await self.challenges.begin(account, shown, call, device_hash=device_hash)
            return Completed(account, device, challenge=challenge)
        return await self.start(account, shown, device, call)

    async def require_allowed(self, account: Account, call: Call) -> None:
        """Refuses a person who may not sign in, whatever they show.

        Raises:
            AccountSuspendedError: if the account is suspended.
            EmailNotVerifiedError: if its address is not verified.
        """
        if not account.active:
            raise refused(AccountSuspendedError(), account.id, call)
        if not account.verified:
            await self.verification.mail_again(account, call)
            raise refused(EmailNotVerifiedError(), account.id, call)

    async def start(
        self, account: Account, shown: Sequence[Authentication], device: Device, call: Call
    ) -> Completed:
        """The tokens of a new session of an account that is locked."""
        if account.has_second_factor:
            account = await self.accounts.note_second_factor(call.db, account.id, call.now)
        device_hash = self.devices.device_hash(device, account.id)
        session = _begin(account.id, device_hash, shown, call)
        added = await SessionRepository(call.db).add(session)
        pair = self.pairs.pair(TokenSource.of(session, added.tier))
        call.record(
            "login.succeeded",
            target_id=session.id,
            data=messages.session(session, None),
            actor=acting_person(account.id, session.id),
            event="session.created",
        )
        await self.recognition.note(account, session, device_hash, call)
        # For most people no organization asks for anything, and it is not looked at.
        asked_from = added.asked_from and await self.standings.asked_from(account.id, shown)
        return Completed(account, device, pair=pair, asked_from=asked_from)


def _begin(
    user_id: UUID, device_hash: bytes, shown: Sequence[Authentication], call: Call
) -> Session:
    """A new session, which is not stored yet."""
    session = Session(
        id=new_id(),
        user_id=user_id,
        user_agent=call.client.user_agent,
        ip_address=call.client.address,
        device_hash=device_hash,
    )
    session.begin(shown, call.now)
    return session
