"""Sessions, tokens and public keys as the contract shows them."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from portico.auth.v1 import auth_service_pb2 as pb
from portico.auth.v1.session_pb2 import Session as SessionMessage

from portico_kit.clock import timestamp
from portico_kit.jwt import ACCESS_TOKEN_LIFETIME, ALGORITHM
from server.features.auth.models import Session
from server.features.auth.signing_keys import ID_TOKEN_ALGORITHM, PublishedKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from portico.users.v1.user_pb2 import User as UserMessage

    from server.features.auth.sign_in_completion import Completed
    from server.features.auth.token_pairs import TokenPair

COORDINATE_BYTES = 32


class TokenFields(TypedDict):
    """What every answer that carries tokens has."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int


def token_fields(pair: TokenPair) -> TokenFields:
    """The fields of an answer for a pair of tokens."""
    return TokenFields(
        access_token=pair.access_token,
        refresh_token=pair.refresh_token,
        token_type="Bearer",  # noqa: S106 - the type's name
        expires_in=int(ACCESS_TOKEN_LIFETIME.total_seconds()),
    )


class CompletedFields(TypedDict, total=False):
    """What every answer to a first factor has: tokens, or a challenge."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    user: UserMessage
    device_token: str
    mfa_required: bool
    challenge: str
    methods: Sequence[str]


def completed_fields(completed: Completed) -> CompletedFields:
    """The fields of an answer to a first factor."""
    device_token = completed.device.token
    challenge, pair = completed.challenge, completed.pair
    if challenge is not None:
        return CompletedFields(
            device_token=device_token,
            mfa_required=True,
            challenge=challenge.token,
            methods=challenge.methods,
        )
    assert pair is not None
    tokens = token_fields(pair)
    return CompletedFields(
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        token_type=tokens["token_type"],
        expires_in=tokens["expires_in"],
        user=completed.account.message,
        device_token=device_token,
    )


def session(row: Session, current: UUID | None) -> SessionMessage:
    """The message for a row; `current` is the session of the call."""
    return SessionMessage(
        id=str(row.id),
        user_agent=row.user_agent,
        ip_address=row.ip_address,
        current=row.id == current,
        organization_id=str(row.organization_id or ""),
        created_at=timestamp(row.created_at),
        last_used_at=timestamp(row.last_used_at),
        expires_at=timestamp(row.expires_at),
        user_id=str(row.user_id),
    )


def session_end(user_id: UUID, reason: str, now: datetime) -> SessionMessage:
    """What the message for a session that has just ended has, whichever of a person's it is."""
    return SessionMessage(user_id=str(user_id), ended_at=timestamp(now), end_reason=reason)


def json_web_key(key: PublishedKey) -> pb.JsonWebKey:
    """A public key as RFC 7518, section 6 writes it."""
    public_key = key.public_key
    if isinstance(public_key, RSAPublicKey):
        numbers = public_key.public_numbers()
        return pb.JsonWebKey(
            kty="RSA",
            use="sig",
            alg=ID_TOKEN_ALGORITHM,
            kid=key.kid,
            n=_unsigned(numbers.n),
            e=_unsigned(numbers.e),
        )
    point = public_key.public_numbers()
    return pb.JsonWebKey(
        kty="EC",
        use="sig",
        alg=ALGORITHM,
        kid=key.kid,
        crv="P-256",
        x=_base64url(point.x.to_bytes(COORDINATE_BYTES)),
        y=_base64url(point.y.to_bytes(COORDINATE_BYTES)),
    )


def _unsigned(number: int) -> str:
    """A number in as few bytes as it needs."""
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
