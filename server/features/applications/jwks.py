"""The public keys of applications (RFC 7517): which ones are taken, and which may have signed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from portico_kit.errors import FieldViolation, InvalidRequestError

MOST_KEYS = 10
SMALLEST_RSA = 2048  # bits
# Beyond it RSA is slow, and nobody has such a key for anything but that.
LARGEST_RSA = 8192  # bits
LONGEST_MEMBER = 2000  # characters
# What only the owner of a key may know, and what two share (RFC 7518, section 6).
PRIVATE_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
# By key type; nothing that anybody can make who knows public keys only.
ALGORITHMS: Mapping[str, frozenset[str]] = {
    "RSA": frozenset({"RS256", "PS256"}),
    "EC": frozenset({"ES256", "ES384"}),
    "OKP": frozenset({"EdDSA"}),
}
ASSERTION_ALGORITHMS = tuple(sorted(name for names in ALGORITHMS.values() for name in names))

_KEPT_MEMBERS = ("kty", "kid", "use", "alg", "crv", "x", "y", "n", "e")
_KID = re.compile(r"[\x21-\x7e]{1,256}")


class PublicKey:
    """A key of an application."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        """Reads a JSON Web Key.

        Raises:
            ValueError: if it is none that is accepted; it says why.
        """
        kept = {name: members[name] for name in _KEPT_MEMBERS if members.get(name) is not None}
        if not all(isinstance(each, str) and len(each) <= LONGEST_MEMBER for each in kept.values()):
            raise ValueError("its members must be strings of at most 2,000 characters")
        self.members: Mapping[str, str] = kept
        self.kid: str | None = kept.get("kid")
        if self.kid is not None and not _KID.fullmatch(self.kid):
            raise ValueError("kid must have 1 to 256 printable ASCII characters without blanks")
        self.key = _loaded(kept)
        self.algorithms = _algorithms(kept, self.key)

    @property
    def signs(self) -> bool:
        """Whether it is for signatures."""
        return self.members.get("use", "sig") == "sig"


Key = EllipticCurvePublicKey | RSAPublicKey | Ed25519PublicKey


def registered_keys(document: Mapping[str, Any], field: str = "jwks") -> dict[str, Any]:
    """A key set as it is stored: the public keys alone.

    Args:
        field: the field of the request that it came in.

    Raises:
        InvalidRequestError: naming each member that is wrong.
    """
    entries = document.get("keys")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_KEYS:
        raise _wrong(f"{field}.keys", "INVALID_KEY_SET", f"must be a list of 1 to {MOST_KEYS} keys")
    violations = tuple(_private_members(entries, field))
    if violations:
        raise InvalidRequestError(violations=violations)
    keys = [_read(entry, f"{field}.keys[{place}]") for place, entry in enumerate(entries)]
    kids = [key.kid for key in keys]
    if len(keys) > 1 and (None in kids or len(set(kids)) < len(kids)):
        raise _wrong(
            f"{field}.keys", "INVALID_KEY_SET", "each of several keys needs a kid of its own"
        )
    return {"keys": [dict(key.members) for key in keys]}


def published_keys(document: Any) -> Sequence[PublicKey]:
    """The keys of a set that an application publishes.

    Those of unknown kinds are left out (RFC 7517, section 5). A set in which a private key is
    has none that is to be trusted.

    Raises:
        ValueError: if it is no key set, or has private keys or too many.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise ValueError(f"it is no key set of at most {MOST_KEYS} keys")
    if any(_private_members(entries, "")):
        raise ValueError("it has a private key in it")
    return list(_readable(entries))


def suitable(keys: Sequence[PublicKey], algorithm: str, kid: str | None) -> Sequence[PublicKey]:
    """The keys that may have made a signature.

    Args:
        kid: the name that the assertion gives its key, if any.
    """
    return [
        key
        for key in keys
        if key.signs and algorithm in key.algorithms and (kid is None or key.kid == kid)
    ]


def _readable(entries: Sequence[Any]) -> Iterator[PublicKey]:
    for entry in entries:
        try:
            yield PublicKey(entry if isinstance(entry, Mapping) else {})
        except ValueError:
            continue


def _read(entry: Any, field: str) -> PublicKey:
    if not isinstance(entry, Mapping):
        raise _wrong(field, "INVALID_KEY", "must be a JSON Web Key")
    try:
        return PublicKey(entry)
    except ValueError as error:
        raise _wrong(field, "INVALID_KEY", str(error)) from error


def _private_members(entries: Sequence[Any], field: str) -> Iterator[FieldViolation]:
    for place, entry in enumerate(entries):
        for name in PRIVATE_MEMBERS if isinstance(entry, Mapping) else ():
            if name in entry:
                yield FieldViolation(
                    f"{field}.keys[{place}].{name}",
                    "PRIVATE_KEY",
                    "must not be given: it belongs to a private or shared key, which is known to"
                    " others now and must not be used any more",
                )


def _loaded(members: Mapping[str, str]) -> Key:
    """The key itself, if it is large enough and of a kind that we know.

    Raises:
        ValueError: if it is not.
    """
    wanted = "must be RSA of 2,048 to 8,192 bits, P-256, P-384 or Ed25519"
    if members.get("kty") not in ALGORITHMS:
        raise ValueError(wanted)
    try:
        # The algorithm is ours to choose; PyJWK would fail at those it does not know.
        key = jwt.PyJWK({name: each for name, each in members.items() if name != "alg"}).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ValueError(wanted) from error
    if isinstance(key, RSAPublicKey) and SMALLEST_RSA <= key.key_size <= LARGEST_RSA:
        return key
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1 | SECP384R1):
        return key
    if isinstance(key, Ed25519PublicKey):
        return key
    raise ValueError(wanted)


def _algorithms(members: Mapping[str, str], key: Key) -> frozenset[str]:
    """The algorithms whose signatures the key may make.

    Raises:
        ValueError: if it names one that it cannot be for.
    """
    possible = ALGORITHMS[members["kty"]]
    if isinstance(key, EllipticCurvePublicKey):
        possible = frozenset({"ES256" if isinstance(key.curve, SECP256R1) else "ES384"})
    named = members.get("alg")
    if named is None or members.get("use", "sig") != "sig":
        return possible
    if named not in possible:
        raise ValueError(f"alg must be one of {', '.join(sorted(possible))}")
    return frozenset({named})


def _wrong(field: str, reason: str, description: str) -> InvalidRequestError:
    return InvalidRequestError(violations=(FieldViolation(field, reason, description),))
