"""What the tests of the core share: a running core, its clock, and people who use it.

Everything goes through the public door, a gRPC stub, but for two things: accounts
that a test needs and is not about are put where registering leaves them, and what
arrives by mail is read from the outbox, where the worker would find it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc import aio
from portico.auth.v1 import auth_service_pb2 as auth
from portico.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from portico.auth.v1.challenge_service_pb2_grpc import ChallengeServiceStub
from portico.auth.v1.remembered_device_service_pb2_grpc import RememberedDeviceServiceStub
from portico.email_changes.v1 import email_change_service_pb2 as email_changes
from portico.email_changes.v1.email_change_service_pb2_grpc import EmailChangeServiceStub
from portico.factor_codes.v1.factor_code_service_pb2_grpc import FactorCodeServiceStub
from portico.factor_resets.v1.factor_reset_service_pb2_grpc import FactorResetServiceStub
from portico.factors.v1.factor_service_pb2_grpc import FactorServiceStub
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.keys.v1.api_key_service_pb2 import CreateApiKeyResponse
from portico.keys.v1.api_key_service_pb2_grpc import ApiKeyServiceStub
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.organizations.v1.organization_service_pb2_grpc import OrganizationServiceStub
from portico.projects.v1.project_service_pb2_grpc import ProjectServiceStub
from portico.users.v1 import user_service_pb2 as users
from portico.users.v1.user_service_pb2_grpc import UserServiceStub
from portico.webhooks.v1.webhook_service_pb2_grpc import WebhookServiceStub
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.testing.clocks import OffsetClock
from server.features.emails.models import EMAIL_PURPOSE, Email
from server.features.sms.models import PURPOSE as SMS_PURPOSE
from server.features.sms.models import TextMessage
from server.features.users.models import User, UserProfile
from server.features.users.password_hashes import Algorithm, Bcrypt
from server.features.users.passwords import Passwords
from server.features.webhooks.resolution import NameNotFoundError
from server.parts import Provided
from tests.support.name_server import NameServer

PASSWORD = "correct horse battery"
INTERNAL_TOKEN = "an internal token for the tests only"
BCRYPT_ROUNDS = 4

_numbers = itertools.count(1)

Stub = TypeVar("Stub")


@dataclass
class RecordingNotifier:
    """Remembers which tasks the workers were asked for."""

    tasks: list[str] = field(default_factory=list)

    def notify(self, task: str) -> None:
        self.tasks.append(task)


class KnownNames:
    """Name servers that know every name but those of .invalid, and of .broken say nothing."""

    async def resolve(self, host: str) -> Sequence[str]:
        if host.endswith(".invalid"):
            raise NameNotFoundError
        if host.endswith(".broken"):
            raise OSError("no name server answers")
        return ["10.0.0.1"] if host.endswith(".internal") else ["10.0.0.1", "93.184.216.34"]


@dataclass(frozen=True)
class Person:
    """Somebody with an account, signed in."""

    id: str
    email: str
    access_token: str
    refresh_token: str
    password: str = PASSWORD

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What a call of this person carries."""
        return bearer(self.access_token)


@dataclass
class World:
    """A running core and the ways to use it."""

    channel: aio.Channel
    engine: AsyncEngine
    secrets: Secrets
    clock: OffsetClock
    notifier: RecordingNotifier
    runtime_dir: Path = Path()
    # What the core's features offer, for the jobs that run beside it.
    provided: Provided = field(default_factory=Provided)
    names: NameServer = field(default_factory=NameServer)
    password_hash: str = ""

    @property
    def auth(self) -> AuthServiceStub:
        return AuthServiceStub(self.channel)

    @property
    def users(self) -> UserServiceStub:
        return UserServiceStub(self.channel)

    @property
    def challenges(self) -> ChallengeServiceStub:
        return ChallengeServiceStub(self.channel)

    @property
    def factor_codes(self) -> FactorCodeServiceStub:
        return FactorCodeServiceStub(self.channel)

    @property
    def factor_resets(self) -> FactorResetServiceStub:
        return FactorResetServiceStub(self.channel)

    @property
    def remembered_devices(self) -> RememberedDeviceServiceStub:
        return RememberedDeviceServiceStub(self.channel)

    @property
    def factors(self) -> FactorServiceStub:
        return FactorServiceStub(self.channel)

    @property
    def email_changes(self) -> EmailChangeServiceStub:
        return EmailChangeServiceStub(self.channel)

    @property
    def organizations(self) -> OrganizationServiceStub:
        return OrganizationServiceStub(self.channel)

    @property
    def keys(self) -> ApiKeyServiceStub:
        return ApiKeyServiceStub(self.channel)

    @property
    def projects(self) -> ProjectServiceStub:
        return ProjectServiceStub(self.channel)

    @property
    def webhooks(self) -> WebhookServiceStub:
        return WebhookServiceStub(self.channel)

    async def new_person(self, email: str | None = None) -> Person:
        """Signs in somebody new; whoever is named has registered and followed the link before."""
        if email is None:
            email = new_email()
            await self._add_account(email)
        else:
            await self._register(email)
        return await self.sign_in(email)

    def passwords(self, algorithm: Algorithm | None = None) -> Passwords:
        """Hashes as this core does, or by another algorithm."""
        return Passwords(self.secrets, algorithm or Bcrypt(BCRYPT_ROUNDS))

    async def _add_account(self, email: str) -> None:
        """Puts a verified account where registering leaves it: most tests need somebody."""
        self.password_hash = self.password_hash or await self.passwords().hash(PASSWORD)
        await self._add_accounts([email], self.password_hash)

    async def new_accounts(self, number: int, password_hash: str) -> list[str]:
        """The addresses of so many people who are not signed in, with a hash of one password."""
        emails = [new_email() for _ in range(number)]
        await self._add_accounts(emails, password_hash)
        return emails

    async def _add_accounts(self, emails: Sequence[str], password_hash: str) -> None:
        now = self.clock()
        async with AsyncSession(self.engine) as db, db.begin():
            db.add_all(
                User(
                    id=new_id(),
                    email=email,
                    password_hash=password_hash,
                    email_verified_at=now,
                    accepted_terms_at=now,
                    profile=UserProfile(display_name="Ada"),
                )
                for email in emails
            )

    async def _register(self, email: str) -> None:
        await self.auth.Register(
            auth.RegisterRequest(
                email=email, password=PASSWORD, display_name="Ada", accepted_terms=True
            )
        )
        token = (await self.mail(email, "verify_email"))["token"]
        await self.auth.VerifyEmail(auth.VerifyEmailRequest(token=token))

    async def sign_in(self, email: str, password: str = PASSWORD) -> Person:
        """A new session of somebody who has an account."""
        answer = await self.auth.Login(auth.LoginRequest(email=email, password=password))
        return Person(answer.user.id, email, answer.access_token, answer.refresh_token, password)

    async def request_email_change(self, person: Person, email: str) -> str:
        """Asks for another address and gives the token that is mailed there."""
        request = email_changes.RequestEmailChangeRequest(
            new_email=email, current_password=person.password
        )
        await self.email_changes.RequestEmailChange(request, metadata=person.metadata)
        return (await self.mail(email, "confirm_email_change"))["token"]

    async def change_email(self, person: Person, email: str) -> str:
        """Changes an address and gives the token that takes it back."""
        old = (await self.users.GetMe(users.GetMeRequest(), metadata=person.metadata)).user.email
        token = await self.request_email_change(person, email)
        await self.email_changes.ConfirmEmailChange(
            email_changes.ConfirmEmailChangeRequest(token=token)
        )
        return (await self.mail(old, "email_changed"))["token"]

    async def new_organization(self, owner: Person) -> str:
        """Creates an organization and gives its id."""
        answer = await self.organizations.CreateOrganization(
            organizations.CreateOrganizationRequest(name=f"Tenant {next(_numbers)}"),
            metadata=owner.metadata,
        )
        return answer.organization.id

    async def new_member(self, organization_id: str, owner: Person, role: str) -> Person:
        """Invites somebody new, who accepts."""
        person = await self.new_person()
        await self.organizations.CreateInvitation(
            organizations.CreateInvitationRequest(
                organization_id=organization_id, email=person.email, role=role
            ),
            metadata=owner.metadata,
        )
        token = (await self.mail(person.email, "invitation"))["token"]
        await self.organizations.AcceptInvitation(
            organizations.AcceptInvitationRequest(token=token), metadata=person.metadata
        )
        return person

    async def new_key(
        self, organization_id: str, owner: Person, *scopes: str, **fields: Any
    ) -> CreateApiKeyResponse:
        """Creates an API key, by default one that may read the organization."""
        request = keys.CreateApiKeyRequest(
            organization_id=organization_id,
            name="a key",
            scopes=scopes or ("organization:read",),
            **fields,
        )
        return await self.keys.CreateApiKey(request, metadata=owner.metadata)

    async def key_metadata(self, secret: str) -> tuple[tuple[str, str], ...]:
        """What the gateway sends on for a caller with this API key."""
        answer = await self.keys.VerifyApiKey(
            keys.VerifyApiKeyRequest(secret=secret), metadata=bearer(INTERNAL_TOKEN)
        )
        return bearer(answer.access_token)

    async def mail(self, recipient: str, template: str) -> dict[str, str]:
        """What the newest mail of this kind to an address says."""
        mails = await self.mails(recipient, template)
        assert mails, f"no {template} for {recipient}"
        return mails[-1]

    async def texts(self, number: str) -> list[str]:
        """What all the text messages to a number say, oldest first."""
        async with AsyncSession(self.engine) as db:
            found = await db.scalars(select(TextMessage).order_by(TextMessage.id))
            sealed = [message.sealed_content for message in found if message.sealed_content]
        contents = [json.loads(self.secrets.unseal(SMS_PURPOSE, one)) for one in sealed]
        return [content["body"] for content in contents if content["number"] == number]

    async def mails(self, recipient: str, template: str) -> list[dict[str, str]]:
        """What all the mails of this kind to an address say, oldest first."""
        query = (
            select(Email)
            .where(Email.recipient == recipient, Email.template == template)
            .order_by(Email.id)
        )
        async with AsyncSession(self.engine) as db:
            found = await db.scalars(query)
            sealed = [mail.sealed_variables for mail in found if mail.sealed_variables]
        return [json.loads(self.secrets.unseal(EMAIL_PURPOSE, one)) for one in sealed]


@dataclass(frozen=True)
class Refusal:
    """How a call was refused."""

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str]
    fields: tuple[str, ...]
    reasons: tuple[str, ...]
    retry_after: float | None


def refusal(error: aio.AioRpcError) -> Refusal:
    """Reads a refusal's google.rpc.Status."""
    trailing = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry, retry_after = error_details_pb2.RetryInfo(), None
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad_request)
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return Refusal(
        error.code(),
        info.reason,
        status.message,
        dict(info.metadata),
        tuple(violation.field for violation in bad_request.field_violations),
        tuple(violation.reason for violation in bad_request.field_violations),
        retry_after,
    )


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a bearer credential."""
    return (("authorization", f"Bearer {token}"),)


def new_email() -> str:
    """An address that nobody has."""
    return f"ada.{uuid4().hex[:12]}@example.com"
