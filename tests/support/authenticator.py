"""A browser and an authenticator in one, in software: what they make is real.

It signs as WebAuthn level 3 says (sections 6.1, 6.3 and 6.5), by cryptography and cbor2 alone,
and so shares no code with what it is held against. What a test wants to be wrong it names.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

Json = dict[str, Any]
Algorithm = Literal["ES256", "EdDSA", "RS256"]

ORIGIN = "http://localhost:8080"
ICLOUD = UUID("fbfc3007-154e-4ecc-8c0b-6e020557d7bd")
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def encoded(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(text + "==")


@dataclass(frozen=True)
class Key:
    """A key pair: its public half as a COSE_Key, and how it signs."""

    cose: Mapping[int, Any]
    sign: Callable[[bytes], bytes]

    @property
    def cose_bytes(self) -> bytes:
        return cbor2.dumps(dict(self.cose))


def new_key(algorithm: Algorithm = "ES256") -> Key:
    """A key pair of one of the algorithms."""
    return {"ES256": es256, "EdDSA": ed_dsa, "RS256": rs256}[algorithm]()


def es256(curve: ec.EllipticCurve | None = None, number: int = 1) -> Key:
    """ECDSA; of another curve than P-256 it is none that was asked for."""
    private = ec.generate_private_key(curve or ec.SECP256R1())
    point, size = private.public_key().public_numbers(), (private.key_size + 7) // 8
    cose = {1: 2, 3: -7, -1: number, -2: point.x.to_bytes(size), -3: point.y.to_bytes(size)}
    return Key(cose, lambda data: private.sign(data, ec.ECDSA(SHA256())))


def ed_dsa() -> Key:
    """Ed25519."""
    private = ed25519.Ed25519PrivateKey.generate()
    cose = {1: 1, 3: -8, -1: 6, -2: private.public_key().public_bytes_raw()}
    return Key(cose, private.sign)


def rs256(bits: int = 2048) -> Key:
    """RSA with SHA-256."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    numbers = private.public_key().public_numbers()
    cose = {1: 3, 3: -257, -1: numbers.n.to_bytes(bits // 8), -2: numbers.e.to_bytes(3)}
    return Key(cose, lambda data: private.sign(data, padding.PKCS1v15(), SHA256()))


@dataclass
class Credential:
    """A passkey as its authenticator keeps it."""

    id: bytes
    key: Key
    user_handle: bytes
    count: int = 0


@dataclass(frozen=True)
class Wrong:
    """What shall be otherwise than it should be.

    Attributes:
        client_data: members of the client data that replace those that are right; None
            leaves one out.
        client_bytes: in place of the client data.
        flags: flags of the authenticator data to turn over.
        rp_id: the domain that it is for.
        count: the count of signatures that it says.
        signature: changes the signature.
        statement: an attestation object's fmt and attStmt.
        user_handle: whose it says that it is.
        trailing: bytes behind the authenticator data.
    """

    client_data: Mapping[str, Any] = field(default_factory=dict)
    client_bytes: bytes | None = None
    flags: int = 0
    rp_id: str | None = None
    count: int | None = None
    signature: Callable[[bytes], bytes] = bytes
    statement: tuple[str, Mapping[str, Any]] | None = None
    user_handle: bytes | None = None
    trailing: bytes = b""


RIGHT = Wrong()


@dataclass
class Authenticator:
    """Makes passkeys and answers with them.

    Attributes:
        synced: whether it copies passkeys to other devices, and so does not count.
    """

    algorithm: Algorithm = "ES256"
    synced: bool = True
    backed_up: bool = True
    aaguid: UUID = ICLOUD
    origin: str = ORIGIN
    credentials: list[Credential] = field(default_factory=list)

    def create(
        self,
        options: Json,
        wrong: Wrong = RIGHT,
        *,
        key: Key | None = None,
        credential_id: bytes | None = None,
    ) -> Json:
        """What navigator.credentials.create() gives, as JSON."""
        new = Credential(
            id=credential_id or os.urandom(32),
            key=key or new_key(self.algorithm),
            user_handle=decoded(options["user"]["id"]),
        )
        self.credentials.append(new)
        attested = self.aaguid.bytes + len(new.id).to_bytes(2) + new.id + new.key.cose_bytes
        data = self._data(options["rp"]["id"], AT, 0, wrong) + attested + wrong.trailing
        client = self._client_data("webauthn.create", options["challenge"], wrong)
        form, statement = wrong.statement or ("none", {})
        if form == "packed" and "sig" in statement:
            signed = new.key.sign(data + hashlib.sha256(client).digest())
            statement = {**statement, "sig": wrong.signature(signed)}
        attestation = {"fmt": form, "attStmt": dict(statement), "authData": data}
        response = {
            "clientDataJSON": encoded(client),
            "attestationObject": encoded(cbor2.dumps(attestation)),
            "authenticatorData": encoded(data),
            "transports": ["internal", "hybrid"],
            "publicKeyAlgorithm": new.key.cose.get(3),
        }
        return _credential(new.id, response, {"credProps": {"rk": True}})

    def get(
        self, options: Json, wrong: Wrong = RIGHT, *, credential: Credential | None = None
    ) -> Json:
        """What navigator.credentials.get() gives, as JSON."""
        used = credential or self.credentials[-1]
        if not self.synced:
            used.count += 1
        data = self._data(options["rpId"], 0, used.count, wrong) + wrong.trailing
        client = self._client_data("webauthn.get", options["challenge"], wrong)
        signature = used.key.sign(data + hashlib.sha256(client).digest())
        handle = used.user_handle if wrong.user_handle is None else wrong.user_handle
        response = {
            "clientDataJSON": encoded(client),
            "authenticatorData": encoded(data),
            "signature": encoded(wrong.signature(signature)),
            "userHandle": encoded(handle),
        }
        return _credential(used.id, response, {})

    def _data(self, rp_id: str, flags: int, count: int, wrong: Wrong) -> bytes:
        flags |= UP | UV
        if self.synced:
            flags |= BE | (BS if self.backed_up else 0)
        flags ^= wrong.flags
        domain = rp_id if wrong.rp_id is None else wrong.rp_id
        said = count if wrong.count is None else wrong.count
        return hashlib.sha256(domain.encode()).digest() + bytes([flags]) + said.to_bytes(4)

    def _client_data(self, kind: str, challenge: str, wrong: Wrong) -> bytes:
        if wrong.client_bytes is not None:
            return wrong.client_bytes
        data = {
            "type": kind,
            "challenge": challenge,
            "origin": self.origin,
            "crossOrigin": False,
            "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
            **wrong.client_data,
        }
        return json.dumps(
            {name: value for name, value in data.items() if value is not None}
        ).encode()


def _credential(credential_id: bytes, response: Json, extensions: Json) -> Json:
    return {
        "id": encoded(credential_id),
        "rawId": encoded(credential_id),
        "type": "public-key",
        "authenticatorAttachment": "platform",
        "clientExtensionResults": extensions,
        "response": response,
    }
