"""Tokens as the core signs them, and everything that is wrong with others."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from portico.auth.v1.auth_service_pb2 import JsonWebKey

MINUTE = 60
# The public URL of the gateways in these tests: who issues OAuth tokens, and whom they are for.
ORIGIN = "https://api.example.com"
APPLICATION = "0195d1a0-0000-7000-8000-0000000000a0"
CHALLENGE = (
    f'Bearer realm="portico", resource_metadata="{ORIGIN}/.well-known/oauth-protected-resource"'
)


class Signer:
    """A signing key with its public half."""

    def __init__(self, kid: str) -> None:
        self.kid = kid
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> JsonWebKey:
        """The key as the core publishes it."""
        numbers: dict[str, str] = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        return JsonWebKey(
            kty="EC",
            use="sig",
            alg="ES256",
            kid=self.kid,
            crv="P-256",
            x=numbers["x"],
            y=numbers["y"],
        )

    def token(self, **changes: Any) -> str:
        """An access token; `changes` replace claims, None removes them."""
        claims = {**_claims(), **changes}
        present = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(present, self._key, algorithm="ES256", headers={"kid": self.kid})

    def access_token(self, *, header: Mapping[str, str] | None = None, **changes: Any) -> str:
        """An OAuth token of an application that acts for a person; None removes a claim."""
        claims = {
            **_claims(),
            "iss": ORIGIN,
            "aud": ORIGIN,
            "kind": "grant",
            "client_id": APPLICATION,
            "gid": str(uuid4()),
            "org": str(uuid4()),
            "scope": "keys:read",
            **changes,
        }
        present = {name: value for name, value in claims.items() if value is not None}
        headers = {"kid": self.kid, "typ": "at+jwt", **(header or {})}
        return jwt.encode(present, self._key, algorithm="ES256", headers=headers)

    def unsigned(self) -> str:
        """The same claims with `alg: none`."""
        return jwt.encode(_claims(), "", algorithm="none", headers={"kid": self.kid})


def _claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "portico",
        "aud": "portico",
        "sub": str(uuid4()),
        "kind": "user",
        "tier": "free",
        "iat": now,
        "exp": now + 15 * MINUTE,
        "jti": str(uuid4()),
    }
