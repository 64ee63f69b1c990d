"""What a client says of itself (RFC 7591, section 2), as the request that would create it.

It is no member of the organization that takes it. What it asks for beyond the policy is left
out where it works without that (RFC 7591, section 3.2.1); what would make another client of it,
or a weaker one, is refused.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from portico.applications.v1 import application_service_pb2 as pb

from portico_kit.errors import InvalidRequestError
from server.common.outbound_addresses import AddressPolicy
from server.features.applications.errors import (
    InvalidClientMetadataError,
    InvalidRedirectUriError,
)
from server.features.applications.kinds import (
    AUTHORIZATION_CODE,
    CLIENT_SECRET_BASIC,
    DEVICE_CODE,
    KINDS,
    NO_AUTHENTICATION,
    PRIVATE_KEY_JWT,
    REFRESH_TOKEN,
    REGISTRABLE_GRANT_TYPES,
    SECRET_METHODS,
)
from server.features.applications.models import Application, RegistrationPolicy
from server.features.applications.redirect_uris import loopback_without_port

Metadata = Mapping[str, Any]

LONGEST_NAME = 50  # characters
MOST_URIS = 20
LONGEST_SCOPE = 16_384  # characters
LONGEST_URI = 2000  # characters
# Letters and marks that show nothing.
_BLANKS = frozenset("\u2800\u3164\u115f\u1160\uffa0\u17b4\u17b5\u034f")
_LINKS = ("logo_uri", "client_uri", "policy_uri", "tos_uri")
_FLAGS = (
    "dpop_bound_access_tokens",
    "require_pushed_authorization_requests",
    "backchannel_logout_session_required",
)
# What only the server says (RFC 7592, section 2.2), and what a document is not to have.
OF_THE_SERVER = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)
_SECRETS = ("client_secret", "client_secret_expires_at")


def read_object(text: str) -> Metadata:
    """The metadata that a text is.

    Raises:
        InvalidClientMetadataError: if it is no JSON object.
    """
    try:
        found = json.loads(text)
        # JSON can spell what is no text: half of a character.
        json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _wrong("the metadata is no JSON object")
    return found


def described(metadata: Metadata, policy: RegistrationPolicy) -> pb.CreateApplicationRequest:
    """The request that would create the client, within a policy. Its addresses are not checked.

    Raises:
        InvalidRedirectUriError: if a redirect URI is beyond the policy.
        InvalidClientMetadataError: if something else is not allowed.
    """
    redirect_uris = _uris(metadata, "redirect_uris")
    method = _method(metadata)
    kind = _kind(metadata, redirect_uris, method)
    if kind not in policy.kinds:
        raise _wrong(f"applications of the kind {kind} cannot be registered here")
    if method not in KINDS[kind].methods:
        # One that is installed keeps no secret: it gets none, and is told so.
        method = NO_AUTHENTICATION
    grant_types = _grant_types(metadata, kind)
    for uri in redirect_uris:
        if not policy.takes_redirect(uri):
            raise InvalidRedirectUriError(error_description="a redirect URI has another host")
    request = pb.CreateApplicationRequest(
        kind=kind,
        name=_name(metadata, redirect_uris),
        redirect_uris=redirect_uris,
        post_logout_redirect_uris=_uris(metadata, "post_logout_redirect_uris"),
        grant_types=grant_types,
        scopes=_scopes(metadata, grant_types, policy),
        token_endpoint_auth_method=method,
        jwks_uri=_text(metadata, "jwks_uri", LONGEST_URI),
        backchannel_logout_uri=_text(metadata, "backchannel_logout_uri", LONGEST_URI),
        id_token_signed_response_alg=_algorithm(metadata),
    )
    for name in _LINKS:
        setattr(request, name, _link(metadata, name))
    for name in _FLAGS:
        setattr(request, name, _flag(metadata, name))
    _put_keys(request, metadata)
    return request


def described_by_document(
    url: str, metadata: Metadata, policy: RegistrationPolicy
) -> pb.CreateApplicationRequest:
    """The same, for a document at a client_id: it must name itself, and has no secret.

    Raises:
        InvalidRedirectUriError: if a redirect URI is beyond the policy.
        InvalidClientMetadataError: if something else is not allowed.
    """
    if metadata.get("client_id") != url:
        raise _wrong("the document has another client_id than its address")
    if any(name in metadata for name in _SECRETS):
        raise _wrong("the document has a secret, which anybody can read")
    if not metadata.get("client_name") or not metadata.get("redirect_uris"):
        raise _wrong("the document has no client_name or no redirect_uris")
    chosen = _offered_method(metadata)
    if chosen in SECRET_METHODS:
        raise _wrong("a client with a document authenticates with a key, or not at all")
    return described({**metadata, "token_endpoint_auth_method": chosen}, policy)


def refused(error: InvalidRequestError) -> InvalidRedirectUriError | InvalidClientMetadataError:
    """What refuses a registration for a reason for which a request would be refused."""
    fields = [violation.field for violation in error.violations]
    said = "; ".join(f"{each.field} {each.description}" for each in error.violations)
    if fields and all(field.startswith("redirect_uris") for field in fields):
        return InvalidRedirectUriError(error_description=said)
    return InvalidClientMetadataError(error_description=said)


def information(row: Application, secret: str = "") -> dict[str, Any]:
    """The client information of a registration (RFC 7591, section 3.2.1): what counts now.

    Args:
        secret: the one that was made just now; none is known afterwards.
    """
    with_code = AUTHORIZATION_CODE in row.grant_types
    shown: dict[str, Any] = {
        "client_id": str(row.id),
        "client_id_issued_at": int(row.created_at.timestamp()),
        "client_name": row.name,
        "application_type": "native" if row.kind in ("native", "device") else "web",
        "redirect_uris": list(row.redirect_uris),
        "grant_types": list(row.grant_types),
        "response_types": ["code"] if with_code else [],
        "token_endpoint_auth_method": row.token_endpoint_auth_method,
        "scope": " ".join(row.scopes),
        "id_token_signed_response_alg": row.id_token_signed_response_alg,
        **{name: getattr(row, name) for name in _FLAGS},
    }
    if row.post_logout_redirect_uris:
        shown["post_logout_redirect_uris"] = list(row.post_logout_redirect_uris)
    for name in (*_LINKS, "jwks_uri", "backchannel_logout_uri"):
        if value := getattr(row, name):
            shown[name] = value
    if row.jwks is not None:
        shown["jwks"] = row.jwks
    if secret:
        shown |= {"client_secret": secret, "client_secret_expires_at": 0}
    return shown


def _kind(metadata: Metadata, redirect_uris: Sequence[str], method: str) -> str:
    """Which kind it is: what it says, or else what its redirect URIs say."""
    application_type = _text(metadata, "application_type", LONGEST_NAME)
    if application_type not in ("", "web", "native"):
        raise _wrong('application_type must be "web" or "native"')
    if AUTHORIZATION_CODE not in _asked_grant_types(metadata):
        return "device"
    is_local = any(_is_local(uri) for uri in redirect_uris)
    if application_type == "native" or (not application_type and is_local):
        if method == PRIVATE_KEY_JWT:
            raise _wrong("an application that is installed cannot have private_key_jwt")
        return "native"
    return "single_page" if method == NO_AUTHENTICATION else "web"


def _is_local(uri: str) -> bool:
    """Whether an address leads to the machine that the browser runs on."""
    scheme = uri.partition(":")[0]
    return loopback_without_port(uri) is not None or scheme not in ("http", "https")


def _method(metadata: Metadata) -> str:
    method = _text(metadata, "token_endpoint_auth_method", LONGEST_NAME) or CLIENT_SECRET_BASIC
    if method not in KINDS["web"].methods:
        raise _wrong("token_endpoint_auth_method is not supported")
    return method


def _offered_method(metadata: Metadata) -> str:
    """How a document's client authenticates; it may offer several (RP Metadata Choices)."""
    offered = _texts(metadata, "token_endpoint_auth_methods_supported")
    named = _text(metadata, "token_endpoint_auth_method", LONGEST_NAME)
    has_keys = bool(metadata.get("jwks") or metadata.get("jwks_uri"))
    if (not named or named in SECRET_METHODS) and offered:
        good = (PRIVATE_KEY_JWT,) if has_keys else ()
        return next((each for each in (*good, NO_AUTHENTICATION) if each in offered), named)
    return named or NO_AUTHENTICATION


def _asked_grant_types(metadata: Metadata) -> Sequence[str]:
    return _texts(metadata, "grant_types") or [AUTHORIZATION_CODE]


def _grant_types(metadata: Metadata, kind: str) -> Sequence[str]:
    """Those of the grant types that it can have."""
    may_have = REGISTRABLE_GRANT_TYPES & KINDS[kind].grant_types
    kept = [each for each in dict.fromkeys(_asked_grant_types(metadata)) if each in may_have]
    if not {AUTHORIZATION_CODE, DEVICE_CODE} & set(kept):
        raise _wrong("grant_types has neither authorization_code nor the device grant")
    response_types = _texts(metadata, "response_types")
    if AUTHORIZATION_CODE in kept and response_types and "code" not in response_types:
        raise _wrong('response_types must have "code" for authorization_code')
    return kept


def _scopes(
    metadata: Metadata, grant_types: Sequence[str], policy: RegistrationPolicy
) -> Sequence[str]:
    """What the policy allows of what is asked for; all of it if nothing is named."""
    asked = _text(metadata, "scope", LONGEST_SCOPE).split()
    may_have = set(policy.scopes)
    if REFRESH_TOKEN not in grant_types:
        may_have.discard("offline_access")
    kept = sorted(may_have & set(asked) if asked else may_have)
    if not kept:
        raise _wrong("scope has none that can be given here")
    return kept


def _name(metadata: Metadata, redirect_uris: Sequence[str]) -> str:
    """The name without what would break a line, hide or turn it around."""
    given = _text(metadata, "client_name", LONGEST_URI)
    kept = "".join(" " if _is_invisible(c) else c for c in given)
    name = " ".join(kept.split())[:LONGEST_NAME].strip()
    if any(unicodedata.category(c)[0] in "LNPS" for c in name):
        return name
    host = urlsplit(redirect_uris[0]).hostname if redirect_uris else ""
    return (host or "Application")[:LONGEST_NAME]


def _is_invisible(character: str) -> bool:
    return character in _BLANKS or unicodedata.category(character)[0] in "CZ"


def _algorithm(metadata: Metadata) -> str:
    algorithm = _text(metadata, "id_token_signed_response_alg", LONGEST_NAME) or "RS256"
    if algorithm not in ("RS256", "ES256"):
        raise _wrong("id_token_signed_response_alg must be RS256 or ES256")
    return algorithm


def _link(metadata: Metadata, name: str) -> str:
    """An address that people may follow; one that they should not is left out."""
    uri = _text(metadata, name, LONGEST_URI)
    try:
        return AddressPolicy(allow_loopback=False).check_url(uri, name) if uri else ""
    except InvalidRequestError:
        return ""


def _flag(metadata: Metadata, name: str) -> bool:
    value = metadata.get(name)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise _wrong(f"{name} must be true or false")
    return value


def _put_keys(request: pb.CreateApplicationRequest, metadata: Metadata) -> None:
    keys = metadata.get("jwks")
    if keys is None:
        return
    try:
        request.jwks.update(keys)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise _wrong("jwks is no JSON Web Key Set") from None


def _uris(metadata: Metadata, name: str) -> Sequence[str]:
    uris = list(dict.fromkeys(_texts(metadata, name)))
    if len(uris) > MOST_URIS:
        raise _wrong(f"{name} must have at most {MOST_URIS} members")
    return uris


def _text(metadata: Metadata, name: str, longest: int) -> str:
    value = metadata.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or "\0" in value:
        raise _wrong(f"{name} must be a string of at most {longest} characters")
    return value


def _texts(metadata: Metadata, name: str) -> Sequence[str]:
    value = metadata.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(f"{name} must be a list of strings")
    return value


def _wrong(description: str) -> InvalidClientMetadataError:
    return InvalidClientMetadataError(error_description=description)
