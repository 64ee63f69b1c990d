"""What providers publish of themselves (OpenID Connect Discovery 1.0), and their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
from yarl import URL

from portico_kit.clock import Clock
from server.common.kept_documents import KeptDocuments
from server.features.connections.oidc.checks import Checks, ProviderFailedError
from server.features.connections.oidc.http import ProviderClient

METADATA_KEPT = timedelta(hours=1)
KEYS_KEPT = timedelta(minutes=5)

# The last parts of Microsoft's issuers that stand for many tenants.
MICROSOFT_AUDIENCES = ("common", "organizations", "consumers")
TENANT = "{tenantid}"

WELL_KNOWN = "/.well-known/openid-configuration"

# Signatures that nobody makes who knows public keys only: neither "none" nor HS256.
ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}

# Where a provider needs no TLS: on a developer's machine.
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """What a discovery document says.

    Attributes:
        issuer: the issuer of ID tokens; Microsoft's has a gap for the tenant.
        announces_iss: whether answers carry `iss` (RFC 9207).
        registration_endpoint: where clients register themselves, or "".
        request_algorithms: those of request objects.
        requires_request: whether a request must be signed (RFC 9101, section 10.5).
        takes_request: whether one may stand in the address.
        takes_request_uri: whether the address of one may, and of any, registered or not.
        takes_logout_tokens: whether it tells clients that a session has ended.
        logs_out_sessions: whether it names the session when it does.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    algorithms: Sequence[str]
    client_authentications: Sequence[str]
    announces_iss: bool
    registration_endpoint: str = ""
    request_algorithms: Sequence[str] = ("RS256",)
    requires_request: bool = False
    takes_request: bool = False
    takes_request_uri: bool = True
    takes_logout_tokens: bool = False
    logs_out_sessions: bool = False

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> ProviderMetadata:
        """The document.

        Raises:
            ProviderFailedError: if something is missing.
        """
        return cls(
            issuer=_text(document, "issuer"),
            authorization_endpoint=_page(document, "authorization_endpoint"),
            token_endpoint=_text(document, "token_endpoint"),
            jwks_uri=_text(document, "jwks_uri"),
            userinfo_endpoint=_text(document, "userinfo_endpoint", optional=True),
            end_session_endpoint=_page(document, "end_session_endpoint", optional=True),
            algorithms=[
                name
                for name in _texts(document, "id_token_signing_alg_values_supported", ["RS256"])
                if name in ALGORITHMS
            ],
            client_authentications=_texts(
                document, "token_endpoint_auth_methods_supported", ["client_secret_basic"]
            ),
            announces_iss=document.get("authorization_response_iss_parameter_supported") is True,
            registration_endpoint=_text(document, "registration_endpoint", optional=True),
            request_algorithms=_texts(
                document, "request_object_signing_alg_values_supported", ["RS256"]
            ),
            requires_request=document.get("require_signed_request_object") is True,
            takes_request=document.get("request_parameter_supported") is True,
            # Left out it is supported (OpenID Connect Discovery, section 3).
            takes_request_uri=document.get("request_uri_parameter_supported") is not False
            and document.get("require_request_uri_registration") is not True,
            takes_logout_tokens=document.get("backchannel_logout_supported") is True,
            logs_out_sessions=document.get("backchannel_logout_session_supported") is True,
        )


@dataclass(frozen=True, slots=True)
class ProviderKeys:
    """The public keys of a provider, as they were fetched."""

    keys: Sequence[jwt.PyJWK]

    def suitable(self, algorithm: str, kid: str | None) -> Sequence[jwt.PyJWK]:
        """The keys that may have made a signature.

        Args:
            kid: the name that the token gives its key, if any.
        """
        return [
            key
            for key in self.keys
            if (kid is None or key.key_id == kid)
            and key.key_type == ALGORITHMS[algorithm]
            and key.public_key_use in (None, "sig")
            and key._jwk_data.get("alg", algorithm) == algorithm
        ]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> ProviderKeys:
        """A JSON Web Key Set; keys of unknown kinds are left out (RFC 7517, section 5)."""
        found = document.get("keys")
        if not isinstance(found, list):
            raise ProviderFailedError("the key set has no keys")
        return cls([key for each in found if (key := _public_key(each)) is not None])


class Providers:
    """Knows providers by their issuers."""

    def __init__(self, client: ProviderClient, clock: Clock) -> None:
        self._client = client
        self._metadata: KeptDocuments[ProviderMetadata] = KeptDocuments(clock, METADATA_KEPT)
        self._keys: KeptDocuments[ProviderKeys] = KeptDocuments(clock, KEYS_KEPT)

    async def metadata(
        self, issuer: str, checks: Checks, *, tenants: bool = False
    ) -> ProviderMetadata:
        """What a provider publishes, which must be of the very issuer that was asked for.

        Args:
            tenants: whether the issuer may stand for many tenants, as Microsoft's do.

        Raises:
            ProviderFailedError: if the document cannot be read.
            CheckFailedError: if it is that of another issuer.
        """

        async def fetch() -> ProviderMetadata:
            # A slash at the end is not doubled (OpenID Connect Discovery, section 4.1).
            answer = await self._client.get(issuer.removesuffix("/") + WELL_KNOWN)
            return ProviderMetadata.read(_found(answer.status, answer.members, "discovery"))

        found = await self._metadata.get(issuer, fetch)
        expected = issuer_template(issuer) if tenants else issuer
        checks.require(
            "discovery_issuer",
            found.issuer in (issuer, expected),
            f"the discovery document names {found.issuer!r}",
        )
        return found

    async def keys(
        self, jwks_uri: str, algorithm: str, kid: str | None, *, fresh: bool = False
    ) -> Sequence[jwt.PyJWK]:
        """The keys that may have made a signature; fetched again if there is none.

        Args:
            fresh: whether those that are kept did not fit: a provider may have other keys by
                now. They are fetched at most every 30 seconds, whoever asks for it.

        Raises:
            ProviderFailedError: if they cannot be fetched.
        """

        async def fetch() -> ProviderKeys:
            answer = await self._client.get(jwks_uri)
            return ProviderKeys.read(_found(answer.status, answer.members, "key set"))

        if not fresh:
            kept = await self._keys.get(jwks_uri, fetch)
            found = kept.suitable(algorithm, kid)
            if found:
                return found
        return (await self._keys.replace(jwks_uri, fetch)).suitable(algorithm, kid)


def issuer_template(issuer: str) -> str:
    """Microsoft's issuer with a gap in place of what stands for many tenants."""
    parts = issuer.split("/")
    return "/".join(TENANT if part in MICROSOFT_AUDIENCES else part for part in parts)


def _found(status: int, members: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    if status != 200:
        raise ProviderFailedError(f"the {what} document was answered with {status}")
    return members


def _text(document: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    value = document.get(name)
    if optional and value is None:
        return ""
    if not isinstance(value, str) or not value:
        raise ProviderFailedError(f"the discovery document has no {name}")
    return value


def _page(document: Mapping[str, Any], name: str, *, optional: bool = False) -> str:
    """The address of a page to which browsers are sent: no script, and no other scheme.

    Other addresses are held against the policy when they are fetched; nobody fetches these.
    """
    text = _text(document, name, optional=optional)
    if not text:
        return ""
    try:
        url = URL(text)
    except ValueError:
        raise ProviderFailedError(f"{name} is no URL") from None
    is_safe = url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK)
    if not (is_safe and url.host) or url.user or url.password:
        raise ProviderFailedError(f"{name} is no https:// URL")
    return text


def _texts(document: Mapping[str, Any], name: str, default: Sequence[str]) -> Sequence[str]:
    value = document.get(name)
    if not isinstance(value, list):
        return default
    return [each for each in value if isinstance(each, str)]


def _public_key(entry: Any) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("kty") not in ALGORITHMS.values():
        return None
    try:
        return jwt.PyJWK(entry)
    except (jwt.PyJWTError, ValueError):
        return None
