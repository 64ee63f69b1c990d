"""Connections: the methods, of organizations and of the platform."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from portico.connections.v1 import connection_pb2
from portico.connections.v1 import connection_service_pb2 as pb
from portico.connections.v1 import platform_connection_service_pb2 as platform_pb
from yarl import URL

from portico_kit.call import Call
from portico_kit.changes import changed_fields
from portico_kit.errors import NotFoundError, PermissionDeniedError, invalid
from portico_kit.ids import new_id, parse_id
from server.common.outbound_addresses import AddressPolicy
from server.common.roles import Roles
from server.features.connections import messages
from server.features.connections.attempts import Begun
from server.features.connections.errors import (
    ConnectionLimitReachedError,
    ConnectionNotFoundError,
)
from server.features.connections.facade import Connections
from server.features.connections.federated_sign_in import FederatedSignInService
from server.features.connections.flows import GITHUB, SECRET_PURPOSE, Flows, client_key
from server.features.connections.models import Connection
from server.features.connections.names import REGISTRATIONS_TASK
from server.features.connections.oidc.checks import CheckFailedError, Checks, ProviderFailedError
from server.features.connections.oidc.client import PARAMETERS, REQUEST, REQUEST_URI
from server.features.connections.oidc.client_keys import ClientKey
from server.features.connections.oidc.discovery import TENANT, ProviderMetadata, issuer_template
from server.features.connections.oidc.openid import MICROSOFT
from server.features.connections.oidc.registration import KEY_JWT, chosen_authentication
from server.features.connections.oidc.webfinger import WebFinger
from server.features.connections.presets import PRESETS
from server.features.connections.registrations import Registrations, add_key, signs_requests
from server.features.connections.repository import ConnectionRepository
from server.features.connections.trust import ANY_DOMAIN
from server.features.domains.names import domain_name
from server.features.organizations.facade import Tenants
from server.features.organizations.roles import require_grantable

# Of an organization, and of the platform.
MAX_CONNECTIONS = 20
NO_SECRET = "none"  # noqa: S105 - the name of a way to do without one
# Fields that are columns of the same name.
_PLAIN = (
    "name",
    "client_id",
    "client_authentication",
    "enabled",
    "trusts_second_factor",
    "userinfo_signed_response_alg",
)
# What a provider was told at the registration.
_REGISTERED = (
    "client_id",
    "client_secret",
    "client_authentication",
    "authorization_request",
    "userinfo_signed_response_alg",
)
_LISTS = ("second_factor_acrs", "allowed_tenants", "trusted_domains")

Create = pb.CreateConnectionRequest | platform_pb.CreatePlatformConnectionRequest
Update = pb.UpdateConnectionRequest | platform_pb.UpdatePlatformConnectionRequest
Test = pb.TestConnectionRequest | platform_pb.TestPlatformConnectionRequest


@dataclass(frozen=True, slots=True)
class ConnectionEditor:
    """Makes and changes connections, whoever's they are."""

    flows: Flows
    policy: AddressPolicy
    tenants: Tenants
    webfinger: WebFinger
    registrations: Registrations

    async def create(self, request: Create, organization_id: UUID | None, call: Call) -> Connection:
        """A new connection, whose provider has answered.

        Raises:
            InvalidRequestError: naming the field that is to blame.
            ConnectionLimitReachedError: if there are too many.
            NotFoundError: if the organization is deleted.
        """
        connection = Connection(
            id=new_id(),
            organization_id=organization_id,
            name=request.name,
            preset=request.preset,
            issuer=await self._issuer(request),
            client_id=request.client_id,
            sealed_client_secret=self._sealed(request.client_secret),
            client_authentication=request.client_authentication,
            authorization_request=request.authorization_request or PARAMETERS,
            userinfo_signed_response_alg=request.userinfo_signed_response_alg,
            registered=not request.client_id,
            registration_uri="",
            scopes=list(request.extra_scopes),
            allowed_tenants=list(request.allowed_tenants),
            trusted_domains=[],
            trusts_second_factor=request.trusts_second_factor,
            second_factor_acrs=list(request.second_factor_acrs),
            enabled=True,
        )
        if isinstance(request, pb.CreateConnectionRequest):
            connection.member_role = request.member_role or None
        else:
            connection.trusted_domains = _domains(request.trusted_domains)
        _require_own_client(request)
        _require_consistent(connection)
        self._require_key(connection)
        # Nothing is locked while the provider takes its time.
        metadata = await self._require_answer(connection)
        if metadata is not None:
            _choose_request(connection, request, metadata)
        note_id = await self._client(connection, request, metadata, call)
        await self._require_room(organization_id, call)
        ConnectionRepository(call.db).add(connection)
        if note_id is not None:
            await self.registrations.keep(note_id, call.db)
        await call.db.flush()
        await call.db.refresh(connection)
        return connection

    async def _client(
        self,
        connection: Connection,
        request: Create,
        metadata: ProviderMetadata | None,
        call: Call,
    ) -> UUID | None:
        """Completes what the connection is as a client, with the provider if need be.

        Returns:
            The note of a new registration, see `Registrations.register`.
        """
        if not connection.registered:
            await add_key(connection, self.flows.secrets)
            return None
        if metadata is None or not metadata.registration_endpoint:
            raise invalid("client_id", "REQUIRED", "is required: the provider registers nobody")
        chosen = chosen_authentication(request.client_authentication, metadata)
        if not chosen:
            description = "is unknown to the provider"
            raise invalid("client_authentication", "NOT_SUPPORTED", description)
        connection.client_authentication = chosen
        await add_key(connection, self.flows.secrets)
        token = request.initial_access_token
        try:
            return await self.registrations.register(connection, metadata, token, call.now)
        except ProviderFailedError as error:
            raise invalid("client_id", "REGISTRATION_FAILED", error.detail) from error

    def end(self, connection: Connection, call: Call) -> None:
        """Has the registration taken back once the connection is deleted."""
        if self.registrations.end(connection, call.db, call.now):
            call.tasks.add(REGISTRATIONS_TASK)

    async def change(self, connection: Connection, request: Update, call: Call) -> None:
        """Changes a connection by what a request names."""
        call.expect(connection.version)
        changed = changed_fields(request)
        given: Mapping[str, Any] = {name: getattr(request, name) for name in changed & {*_PLAIN}}
        lists = {name: list(getattr(request, name)) for name in changed & {*_LISTS}}
        if "trusted_domains" in lists:
            lists["trusted_domains"] = _domains(lists["trusted_domains"])
        for name, value in {**given, **lists}.items():
            setattr(connection, name, value)
        if "client_secret" in changed:
            connection.sealed_client_secret = self._sealed(request.client_secret)
        if "authorization_request" in changed:
            connection.authorization_request = request.authorization_request or PARAMETERS
        if "member_role" in changed and isinstance(request, pb.UpdateConnectionRequest):
            connection.member_role = request.member_role or None
        _require_unregistered(connection, changed)
        _require_consistent(connection)
        self._require_key(connection)
        await add_key(connection, self.flows.secrets)
        await call.db.flush()
        await call.db.refresh(connection)

    async def _require_room(self, organization_id: UUID | None, call: Call) -> None:
        """Refuses one too many; until the call ends nobody else makes one."""
        repository = ConnectionRepository(call.db)
        if organization_id is None:
            await repository.lock_platform()
        elif not await self.tenants.lock(call.db, organization_id):
            raise NotFoundError
        if await repository.count(organization_id) >= MAX_CONNECTIONS:
            raise ConnectionLimitReachedError

    def _require_key(self, connection: Connection) -> None:
        """Refuses a private key that cannot sign."""
        brought = connection.sealed_client_secret is not None
        if connection.client_authentication == KEY_JWT and brought:
            try:
                ClientKey.read(client_key(connection, self.flows.secrets))
            except ValueError as error:
                description = "must be a private key as PEM: RSA of 2048 bits, or P-256 to P-521"
                raise invalid("client_secret", "NO_PRIVATE_KEY", description) from error

    async def _issuer(self, request: Create) -> str:
        """The issuer as it is compared: byte for byte as it was given."""
        if request.identifier:
            return await self._found_issuer(request)
        issuer = request.issuer or PRESETS[request.preset].issuer
        if not issuer:
            raise invalid("issuer", "REQUIRED", "is required for this provider")
        self.policy.check_url(issuer, "issuer")
        if URL(issuer).query_string or "#" in issuer:
            raise invalid("issuer", "INVALID_ISSUER", "must have no query and no fragment")
        return issuer

    def _sealed(self, client_secret: str) -> bytes | None:
        if not client_secret:
            return None
        return self.flows.secrets.seal(SECRET_PURPOSE, client_secret.encode())

    async def _found_issuer(self, request: Create) -> str:
        """The issuer that WebFinger finds."""
        if request.issuer or PRESETS[request.preset].issuer:
            description = "is for providers that have no issuer otherwise"
            raise invalid("identifier", "NOT_ALLOWED", description)
        try:
            return await self.webfinger.issuer(request.identifier)
        except ValueError as error:
            raise invalid("identifier", "INVALID", str(error)) from error
        except ProviderFailedError as error:
            raise invalid("identifier", "NO_ISSUER", error.detail) from error

    async def _require_answer(self, connection: Connection) -> ProviderMetadata | None:
        """What the issuer publishes; one that does not answer as one is refused: most mistakes
        are made here. None for GitHub, which publishes nothing."""
        if connection.preset == GITHUB:
            return None
        tenants = connection.preset == MICROSOFT
        providers = self.flows.openid.providers
        try:
            return await providers.metadata(connection.issuer, Checks(), tenants=tenants)
        except ProviderFailedError as error:
            raise invalid("issuer", "PROVIDER_UNREACHABLE", error.detail) from error
        except CheckFailedError as error:
            raise invalid("issuer", "ISSUER_MISMATCH", error.check.detail) from error


@dataclass(frozen=True, slots=True)
class ConnectionService:
    """Serves portico.connections.v1.ConnectionService."""

    editor: ConnectionEditor
    connections: Connections
    sign_in: FederatedSignInService
    roles: Roles
    public_url: str

    async def CreateConnection(
        self, request: pb.CreateConnectionRequest, call: Call
    ) -> pb.CreateConnectionResponse:
        _require_person(call)
        organization_id = parse_id(request.organization_id)
        self._require_grantable(request.member_role, organization_id, call)
        connection = await self.editor.create(request, organization_id, call)
        call.location(f"/api/v1/connections/{connection.id}")
        return pb.CreateConnectionResponse(
            connection=self._record("connection.created", connection, call)
        )

    async def ListConnections(
        self, request: pb.ListConnectionsRequest, call: Call
    ) -> pb.ListConnectionsResponse:
        rows = await ConnectionRepository(call.db).list(parse_id(request.organization_id))
        return pb.ListConnectionsResponse(
            connections=[messages.connection(row, self.public_url) for row in rows]
        )

    async def GetConnection(
        self, request: pb.GetConnectionRequest, call: Call
    ) -> pb.GetConnectionResponse:
        connection = await _find(request.connection_id, call)
        call.etag(connection.version)
        return pb.GetConnectionResponse(connection=messages.connection(connection, self.public_url))

    async def UpdateConnection(
        self, request: pb.UpdateConnectionRequest, call: Call
    ) -> pb.UpdateConnectionResponse:
        _require_person(call)
        connection = await _find(request.connection_id, call)
        assert connection.organization_id is not None
        role = request.member_role if request.HasField("member_role") else ""
        self._require_grantable(role, connection.organization_id, call)
        await self.editor.change(connection, request, call)
        call.etag(connection.version)
        shown = messages.connection(connection, self.public_url)
        if call.changed(connection.version):
            shown = self._record("connection.updated", connection, call)
        return pb.UpdateConnectionResponse(connection=shown)

    async def DeleteConnection(
        self, request: pb.DeleteConnectionRequest, call: Call
    ) -> pb.DeleteConnectionResponse:
        _require_person(call)
        connection = await _find(request.connection_id, call)
        self._record("connection.deleted", connection, call)
        self.editor.end(connection, call)
        await ConnectionRepository(call.db).delete(connection)
        return pb.DeleteConnectionResponse()

    async def TestConnection(
        self, request: pb.TestConnectionRequest, call: Call
    ) -> pb.TestConnectionResponse:
        _require_person(call)
        connection = await self.connections.find(parse_id(request.connection_id))
        if connection.organization_id not in call.tenants:
            raise ConnectionNotFoundError
        call.authorize(connection.organization_id)
        begun = _test_begun(connection.id, request, call)
        token = request.browser_token
        url, token = await self.sign_in.begin(connection, begun, token, call)
        return pb.TestConnectionResponse(authorization_url=url, browser_token=token)

    def _require_grantable(self, role: str, organization_id: UUID, call: Call) -> None:
        if role:
            require_grantable(self.roles, role, call.permissions(organization_id))

    def _record(self, action: str, row: Connection, call: Call) -> connection_pb2.Connection:
        shown = messages.connection(row, self.public_url)
        call.record(action, organization_id=row.organization_id, target_id=row.id, data=shown)
        return shown


@dataclass(frozen=True, slots=True)
class PlatformConnectionService:
    """Serves portico.connections.v1.PlatformConnectionService."""

    editor: ConnectionEditor
    connections: Connections
    sign_in: FederatedSignInService
    public_url: str

    async def CreatePlatformConnection(
        self, request: platform_pb.CreatePlatformConnectionRequest, call: Call
    ) -> platform_pb.CreatePlatformConnectionResponse:
        connection = await self.editor.create(request, None, call)
        call.location(f"/api/v1/platform-connections/{connection.id}")
        return platform_pb.CreatePlatformConnectionResponse(
            connection=self._record("platform.connection_created", connection, call)
        )

    async def ListPlatformConnections(
        self, request: platform_pb.ListPlatformConnectionsRequest, call: Call
    ) -> platform_pb.ListPlatformConnectionsResponse:
        rows = await ConnectionRepository(call.db).list(None)
        return platform_pb.ListPlatformConnectionsResponse(
            connections=[messages.connection(row, self.public_url) for row in rows]
        )

    async def GetPlatformConnection(
        self, request: platform_pb.GetPlatformConnectionRequest, call: Call
    ) -> platform_pb.GetPlatformConnectionResponse:
        connection = await _find_of_platform(request.connection_id, call)
        call.etag(connection.version)
        return platform_pb.GetPlatformConnectionResponse(
            connection=messages.connection(connection, self.public_url)
        )

    async def UpdatePlatformConnection(
        self, request: platform_pb.UpdatePlatformConnectionRequest, call: Call
    ) -> platform_pb.UpdatePlatformConnectionResponse:
        connection = await _find_of_platform(request.connection_id, call)
        await self.editor.change(connection, request, call)
        call.etag(connection.version)
        shown = messages.connection(connection, self.public_url)
        if call.changed(connection.version):
            shown = self._record("platform.connection_updated", connection, call)
        return platform_pb.UpdatePlatformConnectionResponse(connection=shown)

    async def DeletePlatformConnection(
        self, request: platform_pb.DeletePlatformConnectionRequest, call: Call
    ) -> platform_pb.DeletePlatformConnectionResponse:
        connection = await _find_of_platform(request.connection_id, call)
        self._record("platform.connection_deleted", connection, call)
        self.editor.end(connection, call)
        await ConnectionRepository(call.db).delete(connection)
        return platform_pb.DeletePlatformConnectionResponse()

    async def TestPlatformConnection(
        self, request: platform_pb.TestPlatformConnectionRequest, call: Call
    ) -> platform_pb.TestPlatformConnectionResponse:
        connection = await self.connections.find(parse_id(request.connection_id))
        if connection.organization_id is not None:
            raise ConnectionNotFoundError
        begun = _test_begun(connection.id, request, call)
        token = request.browser_token
        url, token = await self.sign_in.begin(connection, begun, token, call)
        return platform_pb.TestPlatformConnectionResponse(
            authorization_url=url, browser_token=token
        )

    def _record(self, action: str, row: Connection, call: Call) -> connection_pb2.Connection:
        shown = messages.connection(row, self.public_url)
        call.record(action, target_id=row.id, data=shown)
        return shown


def _test_begun(connection_id: UUID, request: Test, call: Call) -> Begun:
    session_id = call.principal.session_id
    return Begun(connection_id, "test", request.return_to, call.user_id, session_id)


def _require_person(call: Call) -> None:
    """Lets only a person act: a connection signs people in, and no key shall."""
    if not call.principal.is_person:
        raise PermissionDeniedError(needed="user")


def _require_consistent(connection: Connection) -> None:
    """Refuses what no sign-in could be done with, or anybody's."""
    needs_secret = connection.client_authentication not in (NO_SECRET, KEY_JWT)
    if needs_secret and not connection.registered and connection.sealed_client_secret is None:
        raise invalid("client_secret", "REQUIRED", "is required, unless the client has none")
    speaks_openid = connection.preset != GITHUB
    if not speaks_openid and signs_requests(connection):
        raise invalid("authorization_request", "NOT_SUPPORTED", "is unknown to the provider")
    _require_tenants(connection)


def _require_own_client(request: Create) -> None:
    """Refuses what belongs to one way of being a client, and comes with the other."""
    if request.client_id and request.initial_access_token:
        description = "is for connections without a client ID"
        raise invalid("initial_access_token", "NOT_ALLOWED", description)
    if not request.client_id and request.client_secret:
        raise invalid("client_id", "REQUIRED", "is required beside a client secret")


def _require_unregistered(connection: Connection, changed: Collection[str]) -> None:
    """Refuses changes of what the provider has registered: the two would differ."""
    for name in _REGISTERED:
        if connection.registered and name in changed:
            raise invalid(name, "REGISTERED", "is registered with the provider")


def _choose_request(connection: Connection, request: Create, metadata: ProviderMetadata) -> None:
    """Chooses how the provider is asked, and refuses a way that it does not know."""
    taken = {
        PARAMETERS: not metadata.requires_request,
        REQUEST: metadata.takes_request,
        REQUEST_URI: metadata.takes_request_uri,
    }
    if not request.authorization_request:
        known = (mode for mode, is_taken in taken.items() if is_taken)
        connection.authorization_request = next(known, PARAMETERS)
    if not taken[connection.authorization_request]:
        raise invalid("authorization_request", "NOT_SUPPORTED", "is unknown to the provider")


def _require_tenants(connection: Connection) -> None:
    many = connection.preset == MICROSOFT and TENANT in issuer_template(connection.issuer)
    if many and connection.organization_id is not None and not connection.allowed_tenants:
        # People of any tenant, whose administrator types in whatever address.
        raise invalid("allowed_tenants", "REQUIRED", "is required for an issuer of many tenants")


def _domains(names: Any) -> list[str]:
    return [name if name == ANY_DOMAIN else domain_name(name) for name in names]


async def _find(connection_id: str, call: Call) -> Connection:
    """The connection, if the caller may do this to it; locked."""
    found = await ConnectionRepository(call.db).find(parse_id(connection_id), call.tenants)
    if found is None or found.organization_id is None:
        raise ConnectionNotFoundError
    call.authorize(found.organization_id)
    return found


async def _find_of_platform(connection_id: str, call: Call) -> Connection:
    """The connection of the platform; locked."""
    found = await ConnectionRepository(call.db).find_of_platform(parse_id(connection_id))
    if found is None:
        raise ConnectionNotFoundError
    return found
