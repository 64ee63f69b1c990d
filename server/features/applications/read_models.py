"""What is read of applications where nothing is changed, and what that decides."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from server.features.applications.kinds import CREATED
from server.features.applications.redirect_uris import loopback_without_port
from server.features.applications.sectors import names_of_people

SECRET_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class ClientView:
    """An application as its row says; the columns stand in the same order."""

    id: UUID
    organization_id: UUID
    name: str
    kind: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    grant_types: list[str]
    scopes: list[str]
    required_scopes: list[str]
    token_endpoint_auth_method: str
    secret_hash: bytes | None
    previous_secret_hash: bytes | None
    previous_secret_expires_at: datetime | None
    jwks: dict[str, Any] | None
    jwks_uri: str
    logo_uri: str
    logo_digest: str
    client_uri: str
    policy_uri: str
    tos_uri: str
    first_party: bool
    id_token_signed_response_alg: str
    dpop_bound_access_tokens: bool
    tls_client_certificate_bound_access_tokens: bool
    require_pushed_authorization_requests: bool
    require_signed_request_object: bool
    request_object_signing_alg: str
    subject_type: str
    sector_identifier_uri: str
    backchannel_logout_uri: str
    backchannel_logout_session_required: bool
    frontchannel_logout_uri: str
    frontchannel_logout_session_required: bool
    access_token_lifetime_seconds: int
    refresh_token_idle_seconds: int
    refresh_token_lifetime_seconds: int
    token_exchange_client_ids: list[UUID]
    origin: str
    metadata_document: str


@dataclass(frozen=True, slots=True)
class Client:
    """An application that may be used now, as the rest of the server sees it.

    Attributes:
        client_id: what it calls itself: its id, or the address of its document.
        origin: how it came to be, see `kinds`.
        organization_id: the organization that owns it; there is one, which is not deleted.
        tier: how much the organization may use.
        token_exchange_client_ids: which applications may exchange the tokens that it has of people.
        secret_id: which of its secrets it presented; "" if it presented none.
        secret_hash: of its secret, as is `previous_secret_hash`; never shown.
    """

    id: UUID
    client_id: str
    organization_id: UUID
    organization_name: str
    tier: str
    name: str
    kind: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    grant_types: frozenset[str]
    scopes: frozenset[str]
    required_scopes: frozenset[str]
    token_endpoint_auth_method: str
    jwks: dict[str, Any] | None
    jwks_uri: str
    logo_uri: str
    logo_digest: str
    client_uri: str
    policy_uri: str
    tos_uri: str
    first_party: bool
    id_token_signed_response_alg: str
    dpop_bound_access_tokens: bool
    tls_client_certificate_bound_access_tokens: bool
    require_pushed_authorization_requests: bool
    require_signed_request_object: bool
    request_object_signing_alg: str
    subject_type: str
    sector_identifier_uri: str
    backchannel_logout_uri: str
    backchannel_logout_session_required: bool
    frontchannel_logout_uri: str
    frontchannel_logout_session_required: bool
    access_token_lifetime: timedelta
    refresh_token_idle: timedelta
    refresh_token_lifetime: timedelta
    token_exchange_client_ids: frozenset[UUID]
    origin: str = CREATED
    secret_id: str = ""
    secret_hash: bytes | None = field(default=None, repr=False)
    previous_secret_hash: bytes | None = field(default=None, repr=False)
    previous_secret_expires_at: datetime | None = field(default=None, repr=False)
    # Copies that name the secret they presented: making one costs more than checking it.
    _presenting: dict[str, Client] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, row: ClientView, organization_name: str, tier: str) -> Client:
        """The client that a row describes."""
        return cls(
            id=row.id,
            client_id=row.metadata_document or str(row.id),
            origin=row.origin,
            organization_id=row.organization_id,
            organization_name=organization_name,
            tier=tier,
            name=row.name,
            kind=row.kind,
            redirect_uris=tuple(row.redirect_uris),
            post_logout_redirect_uris=tuple(row.post_logout_redirect_uris),
            grant_types=frozenset(row.grant_types),
            scopes=frozenset(row.scopes),
            required_scopes=frozenset(row.required_scopes),
            token_endpoint_auth_method=row.token_endpoint_auth_method,
            jwks=row.jwks,
            jwks_uri=row.jwks_uri,
            logo_uri=row.logo_uri,
            logo_digest=row.logo_digest,
            client_uri=row.client_uri,
            policy_uri=row.policy_uri,
            tos_uri=row.tos_uri,
            first_party=row.first_party,
            id_token_signed_response_alg=row.id_token_signed_response_alg,
            dpop_bound_access_tokens=row.dpop_bound_access_tokens,
            tls_client_certificate_bound_access_tokens=row.tls_client_certificate_bound_access_tokens,
            require_pushed_authorization_requests=row.require_pushed_authorization_requests,
            require_signed_request_object=row.require_signed_request_object,
            request_object_signing_alg=row.request_object_signing_alg,
            subject_type=row.subject_type,
            sector_identifier_uri=row.sector_identifier_uri,
            backchannel_logout_uri=row.backchannel_logout_uri,
            backchannel_logout_session_required=row.backchannel_logout_session_required,
            frontchannel_logout_uri=row.frontchannel_logout_uri,
            frontchannel_logout_session_required=row.frontchannel_logout_session_required,
            access_token_lifetime=timedelta(seconds=row.access_token_lifetime_seconds),
            refresh_token_idle=timedelta(seconds=row.refresh_token_idle_seconds),
            refresh_token_lifetime=timedelta(seconds=row.refresh_token_lifetime_seconds),
            token_exchange_client_ids=frozenset(row.token_exchange_client_ids),
            secret_hash=row.secret_hash,
            previous_secret_hash=row.previous_secret_hash,
            previous_secret_expires_at=row.previous_secret_expires_at,
        )

    @property
    def names_of_people(self) -> str:
        """Which names it knows people by: applications of which this is equal have the same."""
        return names_of_people(
            self.id,
            self.organization_id,
            self.subject_type,
            self.sector_identifier_uri,
            self.redirect_uris,
        )

    @property
    def learns_of_logouts(self) -> bool:
        """Whether it is told when a session ends, in either way."""
        return bool(self.backchannel_logout_uri or self.frontchannel_logout_uri)

    @property
    def takes_frontchannel_logouts_only(self) -> bool:
        """Whether it is told by the browser of the session alone."""
        return bool(self.frontchannel_logout_uri) and not self.backchannel_logout_uri

    @property
    def logo_path(self) -> str:
        """Where browsers find our copy of its logo; "" if there is none."""
        return f"/assets/logos/{self.client_id}/{self.logo_digest}" if self.logo_digest else ""

    def accepts_secret(self, secret_hash: bytes, now: datetime) -> bool:
        """Whether the hash is of its secret, or of its previous one in time."""
        good = [hmac.compare_digest(secret_hash, each) for each in self._hashes(now)]
        return any(good)

    def presenting(self, secret_hash: bytes) -> Client:
        """The same client, with the secret that it presented."""
        name = secret_id(secret_hash)
        if name not in self._presenting:
            self._presenting[name] = replace(self, secret_id=name, _presenting={})
        return self._presenting[name]

    def secret_ids(self, now: datetime) -> frozenset[str]:
        """The names of the secrets that are good now, as tokens carry them."""
        return frozenset(map(secret_id, self._hashes(now)))

    def _hashes(self, now: datetime) -> tuple[bytes, ...]:
        until = self.previous_secret_expires_at
        overlaps = until is not None and now < until
        hashes = (self.secret_hash, self.previous_secret_hash if overlaps else None)
        return tuple(each for each in hashes if each is not None)

    def allows_redirect_uri(self, uri: str) -> bool:
        """Whether an authorization response may be sent there: exactly there.

        Of a native application's loopback address the port is free (RFC 8252, section 7.3),
        for it listens on whatever port it gets.
        """
        return self._allows(uri, self.redirect_uris)

    def allows_post_logout_redirect_uri(self, uri: str) -> bool:
        """Whether people may be sent there after they have signed out; compared likewise."""
        return self._allows(uri, self.post_logout_redirect_uris)

    def _allows(self, uri: str, registered: tuple[str, ...]) -> bool:
        if uri in registered:
            return True
        if self.kind != "native":
            return False
        wanted = loopback_without_port(uri)
        return wanted is not None and wanted in map(loopback_without_port, registered)


def secret_id(secret_hash: bytes) -> str:
    """What a token calls the secret that it was given for; of no use to find the secret."""
    return secret_hash[:SECRET_ID_BYTES].hex()
