"""What clients sign: assertions of who they are, and requests (RFC 7519, RFC 8725)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeGuard

import jwt

from server.common.outbound_json import FetchFailedError
from server.features.applications.client_keys import ClientKeys
from server.features.applications.errors import InvalidClientError
from server.features.applications.jwks import ASSERTION_ALGORITHMS, suitable
from server.features.applications.read_models import Client

LONGEST = 16 * 1024  # characters
LONGEST_JTI = 256  # characters
# How far a client's clock may be from ours.
SKEW = timedelta(seconds=30)
# What a type may be written with (RFC 7515, section 4.1.9).
MEDIA_TYPE_PREFIX = "application/"

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ClientJwts:
    """Verifies signatures. What is signed is looked at by whoever asks."""

    keys: ClientKeys

    async def claims(
        self,
        client: Client,
        text: str,
        types: Collection[str | None],
        algorithms: Collection[str] = ASSERTION_ALGORITHMS,
    ) -> Claims:
        """What a client has signed.

        Args:
            types: what it may say of itself, in lower case; None for nothing.

        Raises:
            InvalidClientError: if the client has not signed it, or by another algorithm.
        """
        header = _header(text, types, algorithms)
        algorithm, kid = header["alg"], header.get("kid")
        for fresh in (False, True) if client.jwks_uri else (False,):
            try:
                keys = await self.keys.of(client, fresh=fresh)
            except FetchFailedError as error:
                refuse(f"the key set at jwks_uri is of no use: {error.detail}", error)
            for key in suitable(keys, algorithm, kid):
                claims = _decoded(text, key.key, algorithm)
                if claims is not None:
                    return claims
        raise InvalidClientError


def time_problem(claims: Claims, now: datetime, longest: timedelta) -> str | None:
    """What is wrong with the times of claims; None if nothing is.

    Args:
        longest: how far off the end may be.
    """
    # Compared, and not added to: a number may be larger than any float.
    early, late = (now - SKEW).timestamp(), (now + SKEW).timestamp()
    end, begin, not_before = claims.get("exp"), claims.get("iat"), claims.get("nbf")
    if not is_number(end) or not early < end:
        return "it has expired"
    if not end <= late + longest.total_seconds():
        return f"it must expire within {longest.total_seconds() / 60:.0f} minutes"
    for name, value in (("iat", begin), ("nbf", not_before)):
        if value is not None and not (is_number(value) and value <= late):
            return f"{name} must not be in the future"
    return None


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a number of JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def refuse(description: str, cause: Exception | None = None) -> NoReturn:
    """Refuses a client, and says why to its developer.

    Raises:
        InvalidClientError: always.
    """
    raise InvalidClientError(error_description=description) from cause


def _header(text: str, types: Collection[str | None], algorithms: Collection[str]) -> Claims:
    """The header, if we would understand what it heads.

    Raises:
        InvalidClientError: if not.
    """
    try:
        if len(text) > LONGEST or not text.isascii():
            raise InvalidClientError
        header = jwt.get_unverified_header(text)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise InvalidClientError from error
    kind, kid = header.get("typ"), header.get("kid")
    if header.get("alg") not in algorithms or "crit" in header:
        raise InvalidClientError
    if not isinstance(kind, str | None) or _type(kind) not in types:
        raise InvalidClientError
    if not isinstance(kid, str | None):
        raise InvalidClientError
    return header


def _type(kind: str | None) -> str | None:
    return kind.lower().removeprefix(MEDIA_TYPE_PREFIX) if kind else None


def _decoded(text: str, key: Any, algorithm: str) -> Claims | None:
    """What a JWT says, if the signature is right."""
    try:
        claims = json.loads(jwt.PyJWS().decode(text, key, algorithms=[algorithm]))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
