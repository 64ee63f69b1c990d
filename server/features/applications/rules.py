"""What belongs together in an application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from portico_contract import organization_permissions
from portico_kit.call import Call
from portico_kit.errors import FieldViolation, InvalidRequestError
from server.features.applications.kinds import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    CONFIDENTIAL_GRANT_TYPES,
    DEVICE_CODE,
    KEY_METHODS,
    KINDS,
    NO_AUTHENTICATION,
    PERSONAL_SCOPES,
    REFRESH_TOKEN,
)
from server.features.applications.models import Application
from server.features.applications.redirect_uris import origin
from server.features.applications.sectors import PAIRWISE, hosts_of
from server.features.keys.errors import ScopeNotGrantableError, ScopeUnknownError

# With which people sign in; the others need nobody.
_WITH_PEOPLE = frozenset({AUTHORIZATION_CODE, DEVICE_CODE})


def require_consistent(application: Application) -> None:
    """Refuses what no client could work with, or one that is weaker than it looks.

    Raises:
        InvalidRequestError: naming each field that does not fit the others.
    """
    violations = (
        *_grant_type_violations(application),
        *_method_violations(application),
        *_redirect_violations(application),
        *_signing_violations(application),
        *_sector_violations(application),
        *_frontchannel_violations(application),
        *_scope_violations(application),
        *_lifetime_violations(application),
    )
    if violations:
        raise InvalidRequestError(violations=violations)


def permissions_among(scopes: Sequence[str]) -> frozenset[str]:
    """The scopes that let the application do something in an organization.

    Raises:
        ScopeUnknownError: if there is one that means nothing.
    """
    wanted = frozenset(scopes) - PERSONAL_SCOPES
    unknown = wanted - organization_permissions()
    if unknown:
        raise ScopeUnknownError(scopes=" ".join(sorted(unknown)))
    return wanted


def require_grantable(scopes: Sequence[str], organization_id: UUID, call: Call) -> None:
    """Refuses scopes that the caller does not hold: nobody gives more than they have.

    Raises:
        ScopeUnknownError: if there is one that means nothing.
        ScopeNotGrantableError: naming those that the caller lacks.
    """
    lacking = permissions_among(scopes) - call.permissions(organization_id)
    if lacking:
        raise ScopeNotGrantableError(scopes=" ".join(sorted(lacking)))


def _grant_type_violations(application: Application) -> Iterator[FieldViolation]:
    has, kind = frozenset(application.grant_types), KINDS[application.kind]
    beyond = has - kind.grant_types
    if not has:
        yield FieldViolation("grant_types", "REQUIRED", "must not be empty")
    elif beyond:
        yield FieldViolation(
            "grant_types",
            "GRANT_TYPE_NOT_ALLOWED",
            f"must be among {', '.join(sorted(kind.grant_types))} for this kind",
        )
    elif has == {REFRESH_TOKEN}:
        yield FieldViolation(
            "grant_types", "GRANT_TYPE_NOT_ALLOWED", "must name a grant that gives refresh tokens"
        )
    if application.token_endpoint_auth_method == NO_AUTHENTICATION:
        secret_only = has & CONFIDENTIAL_GRANT_TYPES & kind.grant_types
        if secret_only:
            yield FieldViolation(
                "grant_types",
                "AUTHENTICATION_REQUIRED",
                f"{', '.join(sorted(secret_only))} needs a client that authenticates",
            )


def _method_violations(application: Application) -> Iterator[FieldViolation]:
    method, kind = application.token_endpoint_auth_method, KINDS[application.kind]
    if method not in kind.methods:
        yield FieldViolation(
            "token_endpoint_auth_method",
            "METHOD_NOT_ALLOWED",
            f"must be one of {', '.join(sorted(kind.methods))} for this kind",
        )
    has_keys = application.jwks is not None or bool(application.jwks_uri)
    if application.jwks is not None and application.jwks_uri:
        yield FieldViolation("jwks_uri", "TWO_KEY_SETS", "must not be given beside jwks")
    if method in KEY_METHODS and not has_keys:
        yield FieldViolation("jwks", "REQUIRED", f"is required for {method}, or jwks_uri")


def _redirect_violations(application: Application) -> Iterator[FieldViolation]:
    redirects = AUTHORIZATION_CODE in application.grant_types
    if redirects and not application.redirect_uris:
        yield FieldViolation("redirect_uris", "REQUIRED", "is required for authorization_code")
    if not redirects:
        for field in ("redirect_uris", "post_logout_redirect_uris"):
            if getattr(application, field):
                yield FieldViolation(field, "NOT_USED", "is for authorization_code only")


def _signing_violations(application: Application) -> Iterator[FieldViolation]:
    if not application.require_signed_request_object:
        return
    if AUTHORIZATION_CODE not in application.grant_types:
        yield FieldViolation(
            "require_signed_request_object", "NOT_USED", "is for authorization_code only"
        )
    if application.jwks is None and not application.jwks_uri:
        yield FieldViolation("jwks", "REQUIRED", "is required for signed requests, or jwks_uri")


def _sector_violations(application: Application) -> Iterator[FieldViolation]:
    if application.sector_identifier_uri and not application.redirect_uris:
        yield FieldViolation("sector_identifier_uri", "NOT_USED", "is for redirect_uris only")
    several = len(hosts_of(application.redirect_uris)) > 1
    if several and application.subject_type == PAIRWISE and not application.sector_identifier_uri:
        yield FieldViolation(
            "sector_identifier_uri",
            "REQUIRED",
            "is required for pairwise names if redirect_uris have several hosts",
        )


def _frontchannel_violations(application: Application) -> Iterator[FieldViolation]:
    """OpenID Connect Front-Channel Logout 1.0, section 2."""
    uri = application.frontchannel_logout_uri
    if uri and origin(uri) not in map(origin, application.redirect_uris):
        yield FieldViolation(
            "frontchannel_logout_uri",
            "ORIGIN_NOT_REGISTERED",
            "must have the scheme, host and port of one of redirect_uris",
        )


def _scope_violations(application: Application) -> Iterator[FieldViolation]:
    grants, scopes = frozenset(application.grant_types), frozenset(application.scopes)
    if not scopes:
        yield FieldViolation("scopes", "REQUIRED", "must not be empty")
    if not frozenset(application.required_scopes) <= scopes:
        yield FieldViolation("required_scopes", "SCOPE_NOT_ALLOWED", "must be among scopes")
    if not grants & _WITH_PEOPLE and scopes & PERSONAL_SCOPES:
        yield FieldViolation(
            "scopes",
            "SCOPE_NOT_ALLOWED",
            f"{', '.join(sorted(scopes & PERSONAL_SCOPES))} is about people, who do not sign in"
            " with this application",
        )
    if CLIENT_CREDENTIALS in grants and not scopes - PERSONAL_SCOPES:
        yield FieldViolation("scopes", "REQUIRED", "must have a permission for client_credentials")
    if "offline_access" in scopes and REFRESH_TOKEN not in grants:
        yield FieldViolation("scopes", "SCOPE_NOT_ALLOWED", "offline_access needs refresh_token")


def _lifetime_violations(application: Application) -> Iterator[FieldViolation]:
    if application.refresh_token_idle_seconds > application.refresh_token_lifetime_seconds:
        yield FieldViolation(
            "refresh_token_idle_seconds",
            "LIFETIME_TOO_LONG",
            "must not be more than refresh_token_lifetime_seconds",
        )
