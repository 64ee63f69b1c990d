"""Device authorizations (RFC 8628): from the request of a device to the answer of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

from portico_kit.call import Call
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_token
from server.common.guesses import GuessBudget
from server.common.limiter import Limiter
from server.features.applications.facade import Applications, Client
from server.features.oauth.authorizations import Asked, Authorizations, Begun
from server.features.oauth.device_repository import DeviceCodeRepository
from server.features.oauth.errors import (
    DeviceCodeInvalidError,
    UnauthorizedClientError,
    named,
)
from server.features.oauth.models import ADDRESS_LENGTH, StoredDeviceCode
from server.features.oauth.repository import AuthorizationRepository, GrantRepository
from server.features.oauth.requests import (
    AuthorizationRequest,
    RefusedRequestError,
    resources,
    scopes,
)
from server.features.oauth.user_codes import new_user_code, shown, typed

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
# Of both codes, to the answer of the person.
LIFETIME = timedelta(minutes=10)
INTERVAL = timedelta(seconds=5)
PURPOSE = "oauth-device-code"
USER_CODE_PURPOSE = "oauth-user-code"
# In the place of an address: what is guessed beside passwords and second factors.
GUESSES = "device-code.invalid"
# Of 2.56e10 user codes, ten thousand are in use at a time: each try misses but for one in millions.
TRIES = 5


@dataclass(frozen=True, slots=True)
class DeviceCodes:
    """What a device gets. Neither is kept here."""

    device_code: str = field(repr=False)
    user_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskedDevice:
    """A device that waits, and what it needs next of the person who is signed in."""

    stored: StoredDeviceCode
    asked: Asked
    user_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviceAuthorizations:
    """Begins them, and takes the answers."""

    issuer: str
    applications: Applications
    authorizations: Authorizations
    secrets: Secrets
    budget: GuessBudget
    limiter: Limiter

    async def begin(
        self, client: Client, scope: str, resource: Sequence[str], call: Call
    ) -> DeviceCodes:
        """The codes of a new device.

        Args:
            client: that has authenticated.
            scope: what it asks for; "" for all that it may be given.

        Raises:
            DomainError: as the token endpoint would refuse it.
        """
        if DEVICE_CODE not in client.grant_types:
            raise UnauthorizedClientError("the application may not use device codes")
        try:
            resources(resource, self.issuer)
            wanted = scopes(scope, client)
        except RefusedRequestError as error:
            raise named(error.error, error.description) from None
        device_code = new_token()
        for _ in range(TRIES):
            user_code = new_user_code()
            if await self._add(client, wanted, device_code, user_code, call):
                return DeviceCodes(device_code, shown(user_code))
        raise AssertionError("no user code is free")

    async def ask(self, user_code: str, call: Call) -> AskedDevice:
        """What the device with a user code needs next of the caller.

        Raises:
            DeviceCodeInvalidError: if no device waits for an answer to it.
            TooManyAttemptsError: if the person has given too many wrong ones.
        """
        stored = await self._find(user_code, call)
        asked = await self._ask_about(stored, call)
        return AskedDevice(stored, asked, shown(typed(user_code) or ""))

    async def approve(
        self, user_code: str, organization_id: UUID | None, given: Sequence[str], call: Call
    ) -> None:
        """Gives a device what the person gives it; once, however often they say so.

        Raises:
            DeviceCodeInvalidError: see `ask`.
            TooManyAttemptsError: see `ask`.
            AuthorizationNotReadyError: if the person has to do something else first.
            InvalidRequestError: if more is given than was asked for or the person may.
        """
        stored = await self._find(user_code, call)
        # Before anything is read that another approval of the same application may change.
        await GrantRepository(call.db).lock_person(call.user_id, stored.application_id)
        await DeviceCodeRepository(call.db).lock(stored)
        if stored.was_approved_by(call.user_id):
            return
        asked = await self._ask_about(stored, call)
        until = stored.fetch_until(call.now)
        authorization = await self.authorizations.agree(asked, organization_id, given, until, call)
        stored.approve(call.user_id, authorization.id, until)
        _record("authorization.device_approved", stored, asked.client, call)

    async def deny(self, user_code: str, call: Call) -> None:
        """Gives a device nothing. What the person has approved is taken back until it is fetched.

        Raises:
            DeviceCodeInvalidError: see `ask`; also if the device has its tokens.
            TooManyAttemptsError: see `ask`.
        """
        stored = await self._find(user_code, call)
        await DeviceCodeRepository(call.db).lock(stored)
        if stored.used_by is not None or stored.user_id not in (None, call.user_id):
            raise DeviceCodeInvalidError
        client = await self._client(stored)
        approved = stored.authorization_id
        stored.deny(call.user_id)
        if approved is not None:
            await AuthorizationRepository(call.db).end(approved, call.now)
        _record("authorization.device_denied", stored, client, call)

    def hash_of(self, device_code: str) -> bytes:
        """Under what a device code is kept."""
        return self.secrets.mac(PURPOSE, device_code)

    async def _add(
        self,
        client: Client,
        wanted: Sequence[str],
        device_code: str,
        user_code: str,
        call: Call,
    ) -> bool:
        return await DeviceCodeRepository(call.db).add(
            id=new_id(),
            application_id=client.id,
            code_hash=self.hash_of(device_code),
            user_code_hash=self.secrets.mac(USER_CODE_PURPOSE, user_code),
            scopes=list(wanted),
            client_address=call.client.address[:ADDRESS_LENGTH],
            created_at=call.now,
            expires_at=call.now + LIFETIME,
            interval_seconds=int(INTERVAL.total_seconds()),
            next_poll_at=call.now,
        )

    async def _find(self, user_code: str, call: Call) -> StoredDeviceCode:
        """The device of a user code; each code that is not right is counted.

        Raises:
            DeviceCodeInvalidError: if there is none, or somebody else has decided about it.
            TooManyAttemptsError: if the person has given too many wrong ones.
            RateLimitExceededError: if the client address has had too many, right or wrong.
        """
        code = typed(user_code)
        if code is None:
            # It cannot be right: nothing is learned from the answer.
            raise DeviceCodeInvalidError
        await self.limiter.charge_credential(None, call.client.address)
        code_hash = self.secrets.mac(USER_CODE_PURPOSE, code)
        look = partial(DeviceCodeRepository(call.db).find, code_hash, call.user_id, call.now)
        guess = await self.budget.guess(f"{call.user_id}@{GUESSES}", None, look)
        if guess.used_up:
            details = {"userId": str(call.user_id)}
            call.record("authorization.device_codes_guessed", details=details)
        if guess.found is None:
            raise DeviceCodeInvalidError
        return guess.found

    async def _client(self, stored: StoredDeviceCode) -> Client:
        client = await self.applications.find_by_id(stored.application_id)
        if client is None or DEVICE_CODE not in client.grant_types:
            raise DeviceCodeInvalidError
        return client

    async def _ask_about(self, stored: StoredDeviceCode, call: Call) -> Asked:
        """What a device needs next of the caller.

        Raises:
            DeviceCodeInvalidError: if somebody has decided about it, or its application may not
                be used any more.
        """
        client = await self._client(stored)
        if stored.user_id is not None:
            raise DeviceCodeInvalidError
        request = AuthorizationRequest(
            jti=str(stored.id),
            requested_at=stored.created_at.timestamp(),
            client_id=client.client_id,
            redirect_uri="",
            response_mode="",
            scopes=tuple(stored.scopes),
            code_challenge="",
            # Whatever they agreed to before, people are asked: it may be another's device.
            prompt=("consent",),
        )
        return await self.authorizations.ask_about(Begun(request, client), call)


def _record(action: str, stored: StoredDeviceCode, client: Client, call: Call) -> None:
    call.record(
        action,
        target_id=stored.id,
        details={"clientId": client.client_id, "requestedFrom": stored.client_address},
    )
