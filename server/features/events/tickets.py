"""Tickets: what has to be known of a subscriber to ask again whether it may have its stream."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from portico_kit.errors import UnauthenticatedError
from portico_kit.jwt import Claims
from portico_kit.secrets import Secrets

_PURPOSE = "event-stream-ticket"
_MAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class Ticket:
    """A subscriber, and what it has asked for."""

    claims: Claims
    organization_id: str
    types: Sequence[str]
    address: str


class Tickets:
    """Writes tickets, and knows its own."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def write(self, ticket: Ticket) -> bytes:
        """The ticket as another process keeps it. The same for the same subscriber."""
        content = {
            "claims": _plain(ticket.claims),
            "organization": ticket.organization_id,
            "types": list(ticket.types),
            "address": ticket.address,
        }
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        return self._secrets.mac(_PURPOSE, text) + text.encode()

    def read(self, written: bytes) -> Ticket:
        """The ticket.

        Raises:
            UnauthenticatedError: if it is none of ours.
        """
        mac, text = written[:_MAC_BYTES], written[_MAC_BYTES:].decode(errors="replace")
        if not hmac.compare_digest(mac, self._secrets.mac(_PURPOSE, text)):
            raise UnauthenticatedError
        content = json.loads(text)
        return Ticket(
            claims=_claims(content["claims"]),
            organization_id=content["organization"],
            types=content["types"],
            address=content["address"],
        )


def _plain(claims: Claims) -> dict[str, Any]:
    return {
        "kind": claims.kind,
        "aud": claims.audience,
        "sub": str(claims.subject),
        "sid": _text(claims.session_id),
        "org": _text(claims.organization_id),
        "sec": claims.secret_id,
        "tier": claims.tier,
        "exp": claims.expires_at.timestamp(),
        "scopes": None if claims.scopes is None else sorted(claims.scopes),
        "private": claims.private,
        "iat": claims.issued_at,
        "jti": claims.token_id,
    }


def _claims(plain: dict[str, Any]) -> Claims:
    scopes = plain["scopes"]
    return Claims(
        kind=plain["kind"],
        audience=plain["aud"],
        subject=UUID(plain["sub"]),
        session_id=_id(plain["sid"]),
        organization_id=_id(plain["org"]),
        secret_id=plain["sec"],
        tier=plain["tier"],
        expires_at=datetime.fromtimestamp(plain["exp"], UTC),
        scopes=None if scopes is None else frozenset(scopes),
        private=plain["private"],
        issued_at=plain["iat"],
        token_id=plain["jti"],
    )


def _text(found: UUID | None) -> str | None:
    return None if found is None else str(found)


def _id(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)
