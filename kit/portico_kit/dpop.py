"""Proofs of possession of a key (RFC 9449, DPoP): checked without a server and without I/O.

What is left to the caller: that a request has one proof at most, that a token is bound to
the key that the proof shows (`is_bound_to`), and that a proof is used once
(`DpopProof.replay_id`, kept for `REPLAY_SECONDS`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

MEDIA_TYPE = "dpop+jwt"
# Of the header Authorization (section 7.1), and `token_type` of an answer (section 5).
AUTHENTICATION_SCHEME = "DPoP"
# How far the clock of a client may be from ours, either way.
CLOCK_TOLERANCE = timedelta(seconds=60)
# A proof from a clock that is ahead is good for twice the tolerance. Our own clocks differ, too.
REPLAY_SECONDS = 125
# Before `replay_id`, the name in Valkey under which the use of a proof is kept: in one place for
# all endpoints, whichever part of the platform is behind them.
REPLAY_PREFIX = "portico:dpop:"
# A nonce is good for one to two of them.
NONCE_PERIOD = timedelta(minutes=3)
MAX_PROOF_CHARACTERS = 4096
MAX_JTI_CHARACTERS = 256
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 4096

_JWS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NONCE_PURPOSE = b"dpop-nonce:"

Json = Mapping[str, Any]
Verifier = Callable[[bytes, bytes], None]


class DpopError(Exception):
    """A proof is not accepted. `error` is the code of RFC 9449, section 5 and 7.1.

    The text says what is wrong; nothing of the proof is in it.
    """

    error = "invalid_dpop_proof"


class DpopNonceError(DpopError):
    """A proof has no nonce of ours, or one that is too old: the client tries again with another."""

    error = "use_dpop_nonce"


@dataclass(frozen=True, slots=True)
class DpopProof:
    """A proof that was accepted.

    Attributes:
        jkt: the SHA-256 thumbprint of the key (RFC 7638), as `cnf.jkt` has it.
        replay_id: stands for this proof among all of all keys; accepted once.
    """

    jkt: str
    replay_id: str


class DpopNonces:
    """Nonces that are computed, not stored: an HMAC of the period of time."""

    def __init__(self, secret: bytes) -> None:
        """Takes a secret that all processes share, of 16 bytes at least.

        Raises:
            ValueError: if it is shorter.
        """
        if len(secret) < 16:
            raise ValueError("the secret of the nonces is too short")
        self._secret = secret

    def issue(self, now: datetime) -> str:
        """The nonce of this moment."""
        return self._nonce(_period(now))

    def accepts(self, nonce: str, now: datetime) -> bool:
        """Whether a nonce is of this period, the one before, or the next one.

        The next one comes from another process of ours whose clock is ahead.
        """
        period, given = _period(now), nonce.encode("utf-8", "replace")
        candidates = (self._nonce(number).encode() for number in range(period - 1, period + 2))
        return any(hmac.compare_digest(candidate, given) for candidate in candidates)

    def _nonce(self, period: int) -> str:
        text = _NONCE_PURPOSE + str(period).encode()
        return _base64url(hmac.digest(self._secret, text, hashlib.sha256)[:18])


def check_proof(
    proof: str,
    *,
    method: str,
    url: str,
    now: datetime,
    access_token: str | None = None,
    nonces: DpopNonces | None = None,
) -> DpopProof:
    """Checks a proof by all rules of RFC 9449, section 4.3, that need no memory.

    The signature comes last, for it is what costs.

    Args:
        proof: the value of the header DPoP.
        method: of the request.
        url: of the request; query and fragment are not looked at.
        now: the time.
        access_token: the token that comes with the proof, if one does.
        nonces: ours, if a nonce is demanded.

    Raises:
        DpopNonceError: if all that is missing is a nonce that is good.
        DpopError: if the proof is not accepted.
    """
    if len(proof) > MAX_PROOF_CHARACTERS:
        raise DpopError("The proof is too long.")
    match = _JWS.fullmatch(proof)
    if match is None:
        raise DpopError("The proof is not one JWT.")
    header, claims = _json_object(match[1]), _json_object(match[2])
    key = _public_key(header)
    _check_request(claims, method, url)
    _check_time(claims, now)
    _check_token(claims, access_token)
    replay_id = _replay_id(claims, key.jkt)
    _check_signature(key, match)
    _check_nonce(claims, nonces, now)
    return DpopProof(key.jkt, replay_id)


def is_bound_to(claims: Json, jkt: str) -> bool:
    """Whether a token is bound to this key.

    Args:
        claims: of the access token.
        jkt: the thumbprint of the key that a proof has shown.
    """
    bound = confirmation(claims)
    return bound is not None and hmac.compare_digest(bound.encode(), jkt.encode())


def confirmation(claims: Json) -> str | None:
    """The thumbprint of the key that a token is bound to; None if it is bound to none.

    A token that is bound in any way is no bearer token: what `cnf` holds is not looked at for
    that. A form that is not ours gives "", to which no key is bound.
    """
    if "cnf" not in claims:
        return None
    bound = claims["cnf"]
    jkt = bound.get("jkt") if isinstance(bound, Mapping) and len(bound) == 1 else None
    return jkt if isinstance(jkt, str) and jkt.isascii() else ""


@dataclass(frozen=True, slots=True)
class _ProofKey:
    """The key that a proof shows.

    Attributes:
        jkt: its thumbprint.
        verify: raises InvalidSignature if a signature is not one of this text by the key.
    """

    jkt: str
    verify: Verifier


def _public_key(header: Json) -> _ProofKey:
    if header.get("typ") != MEDIA_TYPE:
        raise DpopError(f"The type of the proof is not {MEDIA_TYPE}.")
    # RFC 7515, section 4.1.11: who does not know an extension refuses it. We know none.
    if "crit" in header:
        raise DpopError("The proof has an extension that is not known.")
    algorithm, jwk = header.get("alg"), header.get("jwk")
    read = _KEY_READERS.get(algorithm) if isinstance(algorithm, str) else None
    if read is None:
        raise DpopError(f"The algorithm of the proof is none of {', '.join(ALGORITHMS)}.")
    if not isinstance(jwk, Mapping):
        raise DpopError("The proof has no public key.")
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise DpopError("The proof shows a private key.")
    if jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        raise DpopError("The key of the proof is for another purpose.")
    try:
        return read(jwk)
    except (ValueError, TypeError):
        raise DpopError("The key of the proof does not fit its algorithm.") from None


def _p256_key(jwk: Json) -> _ProofKey:
    members = _members(jwk, kty="EC", crv="P-256", x=32, y=32)
    x, y = (int.from_bytes(_bytes(members[name])) for name in ("x", "y"))
    key = EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()

    def verify(signature: bytes, text: bytes) -> None:
        # RFC 7518, section 3.4: R and S, 32 bytes each.
        if len(signature) != 64:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        key.verify(encode_dss_signature(r, s), text, ECDSA(SHA256()))

    return _ProofKey(_thumbprint(members), verify)


def _ed25519_key(jwk: Json) -> _ProofKey:
    members = _members(jwk, kty="OKP", crv="Ed25519", x=32)
    key = Ed25519PublicKey.from_public_bytes(_bytes(members["x"]))
    return _ProofKey(_thumbprint(members), key.verify)


def _rsa_key(jwk: Json) -> _ProofKey:
    members = _members(jwk, kty="RSA", n=None, e=None)
    n, e = (int.from_bytes(_bytes(members[name])) for name in ("n", "e"))
    # More bits, or a longer exponent, cost whoever verifies.
    if not MIN_RSA_BITS <= n.bit_length() <= MAX_RSA_BITS or e.bit_length() > 32:
        raise ValueError(n.bit_length())
    key = RSAPublicNumbers(e, n).public_key()

    def verify(signature: bytes, text: bytes) -> None:
        key.verify(signature, text, PSS(MGF1(SHA256()), SHA256.digest_size), SHA256())

    return _ProofKey(_thumbprint(members), verify)


# Only algorithms with a public and a private key, and no other curve than each one's own. EdDSA
# has two names: RFC 9864 gives each curve its own.
_KEY_READERS: Mapping[str, Callable[[Json], _ProofKey]] = {
    "ES256": _p256_key,
    "EdDSA": _ed25519_key,
    "Ed25519": _ed25519_key,
    "PS256": _rsa_key,
}
# `dpop_signing_alg_values_supported` of the metadata (RFC 9449, section 5.1).
ALGORITHMS = tuple(_KEY_READERS)


def _members(jwk: Json, **expected: str | int | None) -> dict[str, str]:
    """The members that make up the key (RFC 7638, section 3.2), in the one form that each has.

    Args:
        jwk: the key.
        expected: by member, its value, its length in bytes, or None for any length.

    Raises:
        ValueError: if one has another form. Two forms of a key would be two thumbprints.
    """
    members = {}
    for name, form in expected.items():
        text = jwk.get(name)
        if not isinstance(text, str):
            raise ValueError(name)
        if isinstance(form, str):
            if text != form:
                raise ValueError(name)
        elif _is_other_form(text, form):
            raise ValueError(name)
        members[name] = text
    return members


def _is_other_form(text: str, length: int | None) -> bool:
    decoded = _bytes(text)
    if length is None:
        return _base64url(decoded) != text or not decoded or decoded[0] == 0
    return _base64url(decoded) != text or len(decoded) != length


def _thumbprint(members: Mapping[str, str]) -> str:
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(text.encode()).digest())


def _check_request(claims: Json, method: str, url: str) -> None:
    if claims.get("htm") != method:
        raise DpopError("The proof is for another method.")
    htu = claims.get("htu")
    target = _target(htu) if isinstance(htu, str) else None
    if target is None or target != _target(url):
        raise DpopError("The proof is for another URL.")


def _check_time(claims: Json, now: datetime) -> None:
    issued = claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise DpopError("The proof does not say when it was made.")
    # JSON of Python has NaN, which compares to nothing: what is asked is whether it is near.
    tolerance = CLOCK_TOLERANCE.total_seconds()
    if not -tolerance <= _difference(issued, now) <= tolerance:
        raise DpopError("The proof is from another time.")


def _difference(issued: float, now: datetime) -> float:
    try:
        return now.timestamp() - issued
    except OverflowError:
        return float("inf")


def _check_token(claims: Json, access_token: str | None) -> None:
    if access_token is None:
        return
    if claims.get("ath") != token_hash(access_token):
        raise DpopError("The proof is for another access token.")


def token_hash(access_token: str) -> str:
    """What the claim `ath` of a proof has for a token."""
    return _base64url(hashlib.sha256(access_token.encode()).digest())


def _replay_id(claims: Json, jkt: str) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARACTERS:
        raise DpopError(f"The proof has no jti of 1 to {MAX_JTI_CHARACTERS} characters.")
    text = f"{jkt}.{jti}".encode("utf-8", "surrogatepass")
    return _base64url(hashlib.sha256(text).digest())


def _check_signature(key: _ProofKey, match: re.Match[str]) -> None:
    text = f"{match[1]}.{match[2]}".encode()
    try:
        key.verify(_bytes(match[3]), text)
    except (InvalidSignature, ValueError):
        raise DpopError("The signature of the proof is not valid.") from None


def _check_nonce(claims: Json, nonces: DpopNonces | None, now: datetime) -> None:
    if nonces is None:
        return
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not nonces.accepts(nonce, now):
        raise DpopNonceError("The proof needs the nonce that comes with this answer.")


def _json_object(part: str) -> Json:
    try:
        read = json.loads(_bytes(part).decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise DpopError("The proof is not one JWT.") from None
    if not isinstance(read, Mapping):
        raise DpopError("The proof is not one JWT.")
    return read


def _no_number(name: str) -> Any:
    """NaN and Infinity, which are no JSON."""
    raise ValueError(name)


def _target(url: str) -> tuple[str, str, int | None, str] | None:
    """What two URLs of one resource share (RFC 3986, sections 6.2.2 and 6.2.3).

    Query and fragment are left out. None for what is no URL of HTTP, or names a user.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    # urlsplit passes over some characters, with which it would not be the text that was signed.
    if not url.isascii() or any(character <= " " for character in url):
        return None
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname or parts.username is not None:
        return None
    return parts.scheme, parts.hostname, port or default, _path(parts)


def _path(parts: SplitResult) -> str:
    return _ESCAPE.sub(_unescape, parts.path) or "/"


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _period(now: datetime) -> int:
    return int(now.timestamp() // NONCE_PERIOD.total_seconds())


def _bytes(text: str) -> bytes:
    """The bytes of base64url without padding.

    Raises:
        ValueError: if it is none.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
