"""Keys of clients, what they sign, and where they publish them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.core.applications.conftest import ISSUER

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class ClientKey:
    """A key pair of a client."""

    kid: str
    private: PrivateKey

    @property
    def public(self) -> dict[str, Any]:
        """The public half, as a JSON Web Key."""
        return {**self._jwk(self.private.public_key()), "kid": self.kid}

    @property
    def whole(self) -> dict[str, Any]:
        """Both halves, as nobody should send them."""
        return {**self._jwk(self.private), "kid": self.kid}

    def _jwk(self, key: Any) -> dict[str, Any]:
        if isinstance(self.private, rsa.RSAPrivateKey):
            found = RSAAlgorithm.to_jwk(key)
        elif isinstance(self.private, ec.EllipticCurvePrivateKey):
            found = ECAlgorithm.to_jwk(key)
        else:
            found = OKPAlgorithm.to_jwk(key)
        members = json.loads(found)
        return {name: value for name, value in members.items() if name not in ("key_ops", "kid")}


def ec_key(kid: str = "one", curve: ec.EllipticCurve | None = None) -> ClientKey:
    return ClientKey(kid, ec.generate_private_key(curve or ec.SECP256R1()))


def rsa_key(kid: str = "one", bits: int = 2048) -> ClientKey:
    return ClientKey(kid, rsa.generate_private_key(public_exponent=65537, key_size=bits))


def ed25519_key(kid: str = "one") -> ClientKey:
    return ClientKey(kid, ed25519.Ed25519PrivateKey.generate())


def assertion(
    key: ClientKey,
    client_id: str,
    now: datetime,
    algorithm: str = "ES256",
    headers: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    """What a client signs to say who it is; a claim that is None is left out."""
    moment = int(now.timestamp())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "iat": moment,
        "exp": moment + 60,
        "jti": uuid4().hex,
        **changed,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.PyJWS().encode(
        json.dumps(present).encode(),
        key.private,
        algorithm=algorithm,
        headers={"kid": key.kid, **(headers or {})},
    )


@dataclass
class KeySetServer:
    """Publishes keys, as long as it is told to."""

    url: str = ""
    content: Any = None
    status: int = 200
    asked: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def publish(self, *keys: ClientKey) -> None:
        self.content = {"keys": [key.public for key in keys]}

    async def answer(self, _: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(
            status=self.status,
            text=json.dumps(self.content),
            headers=self.headers,
            content_type="application/json",
        )


@asynccontextmanager
async def key_set_server() -> AsyncIterator[KeySetServer]:
    """A server on a free port."""
    server = KeySetServer()
    application = web.Application()
    application.router.add_get("/jwks.json", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        server.url = f"http://127.0.0.1:{port}/jwks.json"
        yield server
    finally:
        await runner.cleanup()
