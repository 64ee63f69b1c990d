"""What the OAuth server says of itself: RFC 8414 and OpenID Connect Discovery 1.0.

Both documents follow from the public URL alone, so whoever serves them asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from portico_kit import dpop
from portico_kit.assurance import Assurance
from portico_kit.oauth_scopes import ORGANIZATION_SCOPES, PERSONAL_SCOPES

GRANT_TYPES = (
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
)
CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
SELF_SIGNED_TLS = "self_signed_tls_client_auth"
ASSERTION_ALGORITHMS = ("ES256", "PS256", "RS256", "EdDSA")
ID_TOKEN_ALGORITHMS = ("RS256", "ES256")
RESPONSE_MODES = ("query", "fragment", "form_post")
PROMPTS = ("none", "login", "consent", "select_account")
CLAIMS = (
    "sub",
    "iss",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "sid",
    "name",
    "updated_at",
    "email",
    "email_verified",
)
# What a person can reach, lowest first.
ACR_VALUES = tuple(level.acr for level in Assurance if level > Assurance.NONE)


def issuer_of(public_url: str) -> str:
    """The issuer of a platform: its public URL without a path and without a slash at the end.

    Clients compare it character by character, so it is spelled in one way: the scheme and the
    host in lower case, and no port that the scheme has anyway.
    """
    parts = urlsplit(public_url)
    scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    if ":" in host:
        host = f"[{host}]"
    default = {"https": 443, "http": 80}.get(scheme)
    return f"{scheme}://{host}" if port in (None, default) else f"{scheme}://{host}:{port}"


def resource_metadata_url(issuer: str) -> str:
    """Where clients read who authorizes them for our API (RFC 9728, section 3.1)."""
    return f"{issuer}/.well-known/oauth-protected-resource"


def same_resource(one: str, other: str) -> bool:
    """Whether two resource indicators (RFC 8707) name the same: a slash at the end makes none."""
    return one.removesuffix("/") == other.removesuffix("/")


def authorization_server_metadata(
    issuer: str, *, client_documents: bool = False, certificates: bool = False
) -> Mapping[str, Any]:
    """The document at /.well-known/oauth-authorization-server (RFC 8414).

    Args:
        issuer: as `issuer_of` gives it.
        client_documents: whether a client_id may be the address of a document.
        certificates: whether a proxy tells the certificates of clients (RFC 8705).
    """
    methods = [*CLIENT_AUTH_METHODS[:-1], *([SELF_SIGNED_TLS] if certificates else [])]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "registration_endpoint": f"{issuer}/oauth/register",
        "client_id_metadata_document_supported": client_documents,
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "require_pushed_authorization_requests": False,
        "scopes_supported": [*PERSONAL_SCOPES, *ORGANIZATION_SCOPES],
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": [*methods, "none"],
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [*methods, "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "request_object_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "require_signed_request_object": False,
        **({"tls_client_certificate_bound_access_tokens": True} if certificates else {}),
    }


def openid_configuration(
    issuer: str, *, client_documents: bool = False, certificates: bool = False
) -> Mapping[str, Any]:
    """The document at /.well-known/openid-configuration (OpenID Connect Discovery, section 3)."""
    return {
        **authorization_server_metadata(
            issuer, client_documents=client_documents, certificates=certificates
        ),
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "acr_values_supported": list(ACR_VALUES),
        "claim_types_supported": ["normal"],
        "claims_supported": list(CLAIMS),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": False,
        "prompt_values_supported": list(PROMPTS),
    }


def protected_resource_metadata(issuer: str) -> Mapping[str, Any]:
    """The document at /.well-known/oauth-protected-resource (RFC 9728): our own API.

    `offline_access` is no scope of a resource.
    """
    return {
        "resource": issuer,
        "authorization_servers": [issuer],
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(ORGANIZATION_SCOPES),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
    }
