"""Authorization requests as tokens of the client (RFC 9101): nobody on the way changes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt

from server.features.connections.oidc.checks import ProviderFailedError
from server.features.connections.oidc.client import Client
from server.features.connections.oidc.client_keys import ClientKey
from server.features.connections.oidc.discovery import ProviderMetadata

LIFETIME = timedelta(minutes=5)
# How far a provider's clock may be behind ours.
SKEW = timedelta(seconds=60)
TYPE = "oauth-authz-req+jwt"
UNSIGNED = "none"
# What has to stand in the address as well (OpenID Connect Core 1.0, section 6.1).
OUTSIDE = ("client_id", "response_type", "scope")


def request_object(
    asked: Mapping[str, str], client: Client, metadata: ProviderMetadata, now: datetime
) -> str:
    """What is asked for, as a token for the provider.

    It has no `sub`: nobody can use it to show that they are the client (RFC 9101, section 10.8).

    Raises:
        ProviderFailedError: if it cannot be signed.
    """
    claims = {
        **asked,
        "iss": client.client_id,
        "aud": metadata.issuer,
        "jti": str(uuid4()),
        "iat": int(now.timestamp()),
        "nbf": int((now - SKEW).timestamp()),
        "exp": int((now + LIFETIME).timestamp()),
    }
    if is_unsigned(metadata):
        return jwt.encode(claims, "", algorithm=UNSIGNED)
    try:
        return ClientKey.read(client.key).sign(claims, metadata.request_algorithms, TYPE)
    except ValueError as error:
        raise ProviderFailedError("the client's private key cannot be read") from error


def is_unsigned(metadata: ProviderMetadata) -> bool:
    """Whether a request object is not signed: only if the provider knows no signature at all.

    What vouches for it then is the address that the provider fetches it from.
    """
    return list(metadata.request_algorithms) == [UNSIGNED]


def outside(asked: Mapping[str, str]) -> dict[str, Any]:
    """What stands in the address beside the request object."""
    return {name: asked[name] for name in OUTSIDE}
