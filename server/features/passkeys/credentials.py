"""What a browser sends: the JSON forms of WebAuthn level 3, section 5.1.8, read strictly.

Each text has a bound before it is decoded, and base64url one spelling. What else an object
has is passed over: browsers and password managers add to it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.struct_pb2 import Struct

from portico_kit.errors import FieldViolation, InvalidRequestError
from portico_kit.structs import struct_members

MAX_BYTES = 32 * 1024
MAX_ID_BYTES = 1023
MAX_CLIENT_DATA_BYTES = 4096
MAX_ATTESTATION_BYTES = 16 * 1024
MAX_AUTHENTICATOR_DATA_BYTES = 4096
MAX_SIGNATURE_BYTES = 1024
MAX_USER_HANDLE_BYTES = 64
# Those of WebAuthn level 3, section 5.8.4; others are not kept.
TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class RegistrationAnswer:
    """What was made of the options for a new passkey."""

    credential_id: bytes
    client_data: bytes = field(repr=False)
    attestation: bytes = field(repr=False)
    transports: list[str]


@dataclass(frozen=True, slots=True)
class SignedAnswer:
    """What a passkey has answered.

    Attributes:
        user_handle: b"" if it does not say whose it is.
    """

    credential_id: bytes
    client_data: bytes = field(repr=False)
    authenticator_data: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    user_handle: bytes = field(repr=False)


def registration_answer(credential: Struct) -> RegistrationAnswer:
    """Reads a RegistrationResponseJSON.

    Raises:
        InvalidRequestError: if it is none, naming the field.
    """
    reader = _Reader.of(credential)
    return RegistrationAnswer(
        credential_id=reader.id(),
        client_data=reader.response("clientDataJSON", MAX_CLIENT_DATA_BYTES),
        attestation=reader.response("attestationObject", MAX_ATTESTATION_BYTES),
        transports=reader.transports(),
    )


def signed_answer(credential: Struct | Mapping[str, Any]) -> SignedAnswer:
    """Reads an AuthenticationResponseJSON.

    Raises:
        InvalidRequestError: if it is none, naming the field.
    """
    reader = _Reader.of(credential)
    return SignedAnswer(
        credential_id=reader.id(),
        client_data=reader.response("clientDataJSON", MAX_CLIENT_DATA_BYTES),
        authenticator_data=reader.response("authenticatorData", MAX_AUTHENTICATOR_DATA_BYTES),
        signature=reader.response("signature", MAX_SIGNATURE_BYTES),
        user_handle=reader.response("userHandle", MAX_USER_HANDLE_BYTES, optional=True),
    )


def encoded(raw: bytes) -> str:
    """Bytes as base64url without padding, as all of WebAuthn's JSON has them."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes | None:
    """The bytes of a base64url text without padding; None if it is none."""
    if not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        return None
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    # The bits that stand for nothing are zero: one value has one spelling.
    return raw if encoded(raw) == text else None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the members of a credential."""

    json: Mapping[str, Any]

    @classmethod
    def of(cls, credential: Struct | Mapping[str, Any]) -> _Reader:
        if not isinstance(credential, Struct):
            return cls(credential)
        if credential.ByteSize() > MAX_BYTES:
            raise _invalid("", "TOO_LONG", f"must have {MAX_BYTES} bytes at the most")
        return cls(struct_members(credential))

    def id(self) -> bytes:
        if self.json.get("type") != "public-key":
            raise _invalid("type", "INVALID_VALUE", 'must be "public-key"')
        raw = _bytes("rawId", self.json.get("rawId"), MAX_ID_BYTES)
        if self.json.get("id") != encoded(raw):
            raise _invalid("id", "INVALID_VALUE", "must be the same as rawId")
        return raw

    def response(self, name: str, most: int, *, optional: bool = False) -> bytes:
        value = self._response.get(name)
        # Some password managers send "" where browsers leave it out.
        if optional and value in (None, ""):
            return b""
        return _bytes(f"response.{name}", value, most)

    def transports(self) -> list[str]:
        given = self._response.get("transports")
        return [name for name in TRANSPORTS if name in given] if isinstance(given, list) else []

    @property
    def _response(self) -> Mapping[str, Any]:
        response = self.json.get("response")
        if not isinstance(response, Mapping):
            raise _invalid("response", "INVALID_TYPE", "must be an object")
        return response


def _bytes(name: str, value: object, most: int) -> bytes:
    if not isinstance(value, str):
        raise _invalid(name, "INVALID_TYPE", "must be a string")
    # Four letters are three bytes.
    if len(value) > (most * 4 + 2) // 3:
        raise _invalid(name, "TOO_LONG", f"must have {most} bytes at the most")
    raw = decoded(value)
    if not raw:
        raise _invalid(name, "INVALID_VALUE", "must be base64url without padding")
    return raw


def _invalid(name: str, reason: str, description: str) -> InvalidRequestError:
    path = f"credential.{name}" if name else "credential"
    return InvalidRequestError(violations=(FieldViolation(path, reason, description),))
