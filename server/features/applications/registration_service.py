"""Applications that register themselves (RFC 7591), and keep their registration (RFC 7592)."""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from uuid import UUID

from portico.applications.v1 import registration_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.credentials import Principal
from portico_kit.edge_state.cache_invalidation import CacheInvalidator
from portico_kit.errors import InvalidRequestError
from portico_kit.ids import new_id
from portico_kit.secrets import Secrets
from portico_kit.tokens import new_client_secret, new_token, secret_prefix
from server.features.applications import messages
from server.features.applications.authentication import ClientSecrets
from server.features.applications.editing import ApplicationEditor
from server.features.applications.errors import (
    InvalidClientMetadataError,
    InvalidRegistrationTokenError,
    TooManyRegistrationsError,
)
from server.features.applications.facade import application_id_of
from server.features.applications.kinds import OFF, OPEN, REGISTERED
from server.features.applications.metadata import (
    OF_THE_SERVER,
    Metadata,
    described,
    information,
    read_object,
    refused,
)
from server.features.applications.models import Application, RegistrationPolicy
from server.features.applications.ports import Grants
from server.features.applications.registration_policy_service import INITIAL_TOKEN_PURPOSE
from server.features.applications.repository import (
    ApplicationRepository,
    RegistrationPolicyRepository,
)
from server.features.organizations.facade import Tenants

PURPOSE = "registration-access-token"
_LIFETIMES = (
    "access_token_lifetime_seconds",
    "refresh_token_idle_seconds",
    "refresh_token_lifetime_seconds",
)


@dataclass(frozen=True, slots=True)
class RegistrationService:
    """Serves portico.applications.v1.RegistrationService.

    Attributes:
        open_organization: takes those who present no token; None if nobody does.
        environment: "live" or "test"; stands in every new secret.
    """

    open_organization: UUID | None
    editor: ApplicationEditor
    client_secrets: ClientSecrets
    secrets: Secrets
    invalidator: CacheInvalidator
    tenants: Tenants
    grants: Grants
    environment: str

    async def RegisterClient(
        self, request: pb.RegisterClientRequest, call: Call
    ) -> pb.RegisterClientResponse:
        policy = await self._policy(request.initial_access_token, call)
        application = Application(
            id=new_id(), organization_id=policy.organization_id, origin=REGISTERED
        )
        self._apply(application, read_object(request.metadata), policy)
        await self._require_room(policy, call)
        token, secret = new_token(), self._new_secret(application, call)
        application.registration_token_hash = self.secrets.mac(PURPOSE, token)
        ApplicationRepository(call.db).add(application)
        await call.db.flush()
        self._record("application.created", application, call)
        return pb.RegisterClientResponse(
            registration=json.dumps(information(application, secret)),
            registration_access_token=token,
        )

    async def ReadClient(self, request: pb.ReadClientRequest, call: Call) -> pb.ReadClientResponse:
        application = await self._find(request.client_id, request.registration_access_token, call)
        return pb.ReadClientResponse(registration=json.dumps(information(application)))

    async def UpdateClient(
        self, request: pb.UpdateClientRequest, call: Call
    ) -> pb.UpdateClientResponse:
        application = await self._find(request.client_id, request.registration_access_token, call)
        metadata = read_object(request.metadata)
        self._require_own(application, metadata, call)
        found = await RegistrationPolicyRepository(call.db).find(application.organization_id)
        policy = found or RegistrationPolicy.closed(application.organization_id)
        version = application.version
        # How long tokens live is the organization's word.
        lifetimes = {name: getattr(application, name) for name in _LIFETIMES}
        self._apply(application, metadata, policy)
        for name, value in lifetimes.items():
            setattr(application, name, value)
        secret = "" if application.secret_hash else self._new_secret(application, call)
        await call.db.flush()
        await call.db.refresh(application)
        if application.version != version:
            self._record("application.updated", application, call)
            self._invalidate(application.id, call)
        return pb.UpdateClientResponse(registration=json.dumps(information(application, secret)))

    async def DeleteClient(
        self, request: pb.DeleteClientRequest, call: Call
    ) -> pb.DeleteClientResponse:
        application = await self._find(request.client_id, request.registration_access_token, call)
        self._record("application.deleted", application, call)
        application.delete(call.now)
        await self.grants.revoke_of_application(application.id, call)
        self._invalidate(application.id, call)
        return pb.DeleteClientResponse()

    async def _policy(self, token: str, call: Call) -> RegistrationPolicy:
        """The policy that a registration comes under.

        Raises:
            InvalidRegistrationTokenError: if there is none.
        """
        policies = RegistrationPolicyRepository(call.db)
        policy = None
        if token:
            policy = await policies.find_by_token(self.secrets.mac(INITIAL_TOKEN_PURPOSE, token))
        elif self.open_organization is not None:
            policy = await policies.find(self.open_organization)
        if policy is None or policy.registration == OFF:
            raise InvalidRegistrationTokenError
        if not token and policy.registration != OPEN:
            raise InvalidRegistrationTokenError
        return policy

    async def _require_room(self, policy: RegistrationPolicy, call: Call) -> None:
        """Refuses one application too many, however many come at once.

        Raises:
            InvalidRegistrationTokenError: if the organization is gone, or its policy was
                closed while this call waited.
        """
        if not await self.tenants.lock(call.db, policy.organization_id):
            raise InvalidRegistrationTokenError
        before = policy.initial_access_token_hash
        await call.db.refresh(policy)
        if policy.registration == OFF or policy.initial_access_token_hash != before:
            raise InvalidRegistrationTokenError
        count = await ApplicationRepository(call.db).count_registered(policy.organization_id)
        if count >= policy.max_applications:
            raise TooManyRegistrationsError(limit=str(policy.max_applications))

    def _apply(
        self, application: Application, metadata: Metadata, policy: RegistrationPolicy
    ) -> None:
        try:
            self.editor.create(application, described(metadata, policy))
        except InvalidRequestError as error:
            raise refused(error) from None

    async def _find(self, client_id: str, token: str, call: Call) -> Application:
        """The application that a token is for; locked.

        Raises:
            InvalidRegistrationTokenError: if there is none. Who asks learns nothing of others.
        """
        application_id = application_id_of(client_id)
        presented = self.secrets.mac(PURPOSE, token)
        found = None
        if application_id is not None and token:
            found = await ApplicationRepository(call.db).find_of_any(application_id)
        expected = found.registration_token_hash if found else None
        if found is None or expected is None or not hmac.compare_digest(expected, presented):
            raise InvalidRegistrationTokenError
        if not await self.tenants.find(found.organization_id):
            raise InvalidRegistrationTokenError
        return found

    def _require_own(self, application: Application, metadata: Metadata, call: Call) -> None:
        """Refuses an update that is another client's, or says what only we say (RFC 7592, 2.2).

        Raises:
            InvalidClientMetadataError: if it is one.
        """
        if metadata.get("client_id") != str(application.id):
            raise InvalidClientMetadataError(error_description="client_id is another one")
        for name in OF_THE_SERVER:
            if name in metadata:
                raise InvalidClientMetadataError(error_description=f"{name} must not be given")
        secret = metadata.get("client_secret")
        if secret is not None and not self._is_secret_of(application, secret, call):
            raise InvalidClientMetadataError(error_description="client_secret is another one")

    def _is_secret_of(self, application: Application, secret: object, call: Call) -> bool:
        if not isinstance(secret, str) or application.secret_hash is None:
            return False
        presented = self.client_secrets.hash(secret)
        return hmac.compare_digest(application.secret_hash, presented)

    def _new_secret(self, application: Application, call: Call) -> str:
        """A new secret; "" if it authenticates otherwise."""
        if not application.uses_secrets:
            return ""
        secret = new_client_secret(self.environment)
        application.set_secret(self.client_secrets.hash(secret), secret_prefix(secret), call.now)
        return secret

    def _record(self, action: str, application: Application, call: Call) -> None:
        call.record(
            action,
            organization_id=application.organization_id,
            target_id=application.id,
            data=messages.application(application, call.now),
            actor=Principal("application", application.id),
        )

    def _invalidate(self, application_id: UUID, call: Call) -> None:
        call.after_commit.append(lambda: self.invalidator.application_changed(application_id))
