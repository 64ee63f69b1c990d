"""Clients that prove to have a key (RFC 9449)."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from portico_kit.dpop import check_proof, token_hash


class ProofKey:
    """A key of a client."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._jwk: dict[str, Any] = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        self._jwk.pop("key_ops", None)

    @property
    def jkt(self) -> str:
        """The thumbprint, as `cnf.jkt` has it."""
        proof = self.proof("GET", "https://example.com/")
        now = datetime.now(UTC)
        return check_proof(proof, method="GET", url="https://example.com/", now=now).jkt

    def proof(self, method: str, url: str, *, token: str | None = None, **claims: Any) -> str:
        """A proof for a request, with its token; claims replace what it says, None removes one."""
        said = {
            "jti": str(uuid4()),
            "htm": method,
            "htu": url,
            "iat": int(time.time()),
            "ath": None if token is None else token_hash(token),
            **claims,
        }
        present = {name: value for name, value in said.items() if value is not None}
        headers = {"typ": "dpop+jwt", "jwk": self._jwk}
        return jwt.encode(present, self._key, "ES256", headers=headers)
