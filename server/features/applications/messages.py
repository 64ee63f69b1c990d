"""The application as the contract shows it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from portico.applications.v1 import application_pb2 as pb
from portico.applications.v1 import registration_service_pb2 as registrations

from portico_kit.clock import timestamp
from server.features.applications.models import Application, RegistrationPolicy
from server.features.applications.read_models import secret_id


def application(row: Application, now: datetime) -> pb.Application:
    """The message for a row; `now` decides which secrets are accepted."""
    shown = pb.Application(
        id=str(row.id),
        organization_id=str(row.organization_id),
        name=row.name,
        kind=row.kind,
        redirect_uris=row.redirect_uris,
        post_logout_redirect_uris=row.post_logout_redirect_uris,
        grant_types=row.grant_types,
        scopes=row.scopes,
        required_scopes=row.required_scopes,
        token_endpoint_auth_method=row.token_endpoint_auth_method,
        secrets=_secrets(row, now),
        jwks_uri=row.jwks_uri,
        logo_uri=row.logo_uri,
        client_uri=row.client_uri,
        policy_uri=row.policy_uri,
        tos_uri=row.tos_uri,
        first_party=row.first_party,
        enabled=row.disabled_at is None,
        id_token_signed_response_alg=row.id_token_signed_response_alg,
        dpop_bound_access_tokens=row.dpop_bound_access_tokens,
        tls_client_certificate_bound_access_tokens=row.tls_client_certificate_bound_access_tokens,
        require_pushed_authorization_requests=row.require_pushed_authorization_requests,
        backchannel_logout_uri=row.backchannel_logout_uri,
        backchannel_logout_session_required=row.backchannel_logout_session_required,
        access_token_lifetime_seconds=row.access_token_lifetime_seconds,
        refresh_token_idle_seconds=row.refresh_token_idle_seconds,
        refresh_token_lifetime_seconds=row.refresh_token_lifetime_seconds,
        created_by=str(row.created_by or ""),
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        disabled_at=timestamp(row.disabled_at),
        origin=row.origin,
        metadata_document=row.metadata_document,
        subject_type=row.subject_type,
        sector_identifier_uri=row.sector_identifier_uri,
        frontchannel_logout_uri=row.frontchannel_logout_uri,
        frontchannel_logout_session_required=row.frontchannel_logout_session_required,
        require_signed_request_object=row.require_signed_request_object,
        request_object_signing_alg=row.request_object_signing_alg,
        token_exchange_client_ids=map(str, row.token_exchange_client_ids),
    )
    if row.jwks is not None:
        shown.jwks.update(row.jwks)
    return shown


def _secrets(row: Application, now: datetime) -> Iterator[pb.ApplicationSecret]:
    if row.secret_hash is not None:
        yield pb.ApplicationSecret(
            id=secret_id(row.secret_hash),
            prefix=row.secret_prefix,
            created_at=timestamp(row.secret_created_at),
        )
    until = row.previous_secret_expires_at
    if row.previous_secret_hash is not None and until is not None and now < until:
        yield pb.ApplicationSecret(
            id=secret_id(row.previous_secret_hash),
            prefix=row.previous_secret_prefix,
            created_at=timestamp(row.previous_secret_created_at),
            expires_at=timestamp(until),
        )


def policy(row: RegistrationPolicy) -> registrations.RegistrationPolicy:
    """The message for a registration policy."""
    return registrations.RegistrationPolicy(
        organization_id=str(row.organization_id),
        registration=row.registration,
        kinds=row.kinds,
        redirect_hosts=row.redirect_hosts,
        scopes=row.scopes,
        max_applications=row.max_applications,
        unused_days=row.unused_days,
        documents=row.documents,
        document_hosts=row.document_hosts,
        initial_access_token_created_at=timestamp(row.initial_access_token_created_at),
    )
