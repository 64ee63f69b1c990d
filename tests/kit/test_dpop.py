"""Proofs of possession (RFC 9449): each MUST of section 4.3, and what hostile clients send."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from portico_kit import dpop
from portico_kit.dpop import DpopError, DpopNonceError, DpopNonces, DpopProof, check_proof

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
URL = "https://api.example.com/oauth/token"
P256 = ec.generate_private_key(ec.SECP256R1())
OTHER_P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
NONCES = DpopNonces(b"a secret of all processes")
ABSENT = object()


def jwk(key: Any, algorithm: str) -> dict[str, Any]:
    """The public key as JWK."""
    made: dict[str, Any] = json.loads(get_default_algorithms()[algorithm].to_jwk(key.public_key()))
    return {name: value for name, value in made.items() if name not in {"key_ops", "alg", "use"}}


@dataclass(frozen=True)
class Client:
    """Makes proofs with a key of its own.

    Attributes:
        header: what replaces members of the JOSE header; ABSENT removes one.
    """

    key: Any = P256
    algorithm: str = "ES256"
    header: Mapping[str, Any] = field(default_factory=dict)

    def proof(self, **claims: Any) -> str:
        """A proof for a POST to URL, now; claims replace those that it has."""
        payload = {"jti": "one", "htm": "POST", "htu": URL, "iat": NOW.timestamp(), **claims}
        header = {"typ": "dpop+jwt", "jwk": jwk(self.key, self.algorithm), **self.header}
        return jwt.encode(_present(payload), self.key, self.algorithm, headers=_present(header))


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not ABSENT}


def check(proof: str, **changes: Any) -> DpopProof:
    return check_proof(proof, **{"method": "POST", "url": URL, "now": NOW, **changes})


def refused(proof: str, **changes: Any) -> str:
    """The code with which a proof is refused."""
    with pytest.raises(DpopError) as refusal:
        check(proof, **changes)
    return refusal.value.error


def spelled(header: object, payload: object, signature: bytes = b"signature") -> str:
    """A JWT that no library would make."""
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    )


@pytest.mark.parametrize(
    ("key", "algorithm"), [(P256, "ES256"), (ED25519, "EdDSA"), (RSA, "PS256")]
)
def test_each_algorithm_that_is_announced_works(key: Any, algorithm: str) -> None:
    assert algorithm in dpop.ALGORITHMS
    assert check(Client(key, algorithm).proof()).jkt


def test_the_example_of_the_rfc_is_accepted() -> None:
    """Figure 2 of RFC 9449 with its thumbprint of section 6.1."""
    proof = (
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
        "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
        "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
        "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj"
        "oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia"
        "WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg"
        "4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    )
    accepted = check_proof(
        proof,
        method="POST",
        url="https://server.example.com/token",
        now=datetime.fromtimestamp(1562262616, UTC),
    )
    assert accepted.jkt == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat"])
def test_every_claim_is_required(name: str) -> None:
    assert refused(Client().proof(**{name: ABSENT})) == "invalid_dpop_proof"


@pytest.mark.parametrize("jti", ["", "x" * 257, 7, None, ["one"]])
def test_a_jti_is_text_of_bounded_length(jti: object) -> None:
    refused(Client().proof(jti=jti))


@pytest.mark.parametrize("typ", [ABSENT, "JWT", "at+jwt", "DPoP+JWT", "application/dpop+jwt"])
def test_the_type_says_that_it_is_a_proof(typ: object) -> None:
    refused(Client(header={"typ": typ} if typ is not ABSENT else {"typ": None}).proof())


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(P384, "ES384"), (RSA, "RS256"), (RSA, "PS512")],
)
def test_no_other_algorithm_is_accepted(key: Any, algorithm: str) -> None:
    refused(Client(key, algorithm).proof())


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "", None, 7, ["ES256"]])
def test_no_symmetric_algorithm_and_none_are_accepted(algorithm: object) -> None:
    header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk(P256, "ES256")}
    payload = {"jti": "one", "htm": "POST", "htu": URL, "iat": int(NOW.timestamp())}
    refused(spelled(header, payload))


def test_a_public_key_is_no_secret_of_an_hmac() -> None:
    header = {"typ": "dpop+jwt", "jwk": {"kty": "oct", "k": "AAAA"}}
    payload = {"jti": "one", "htm": "POST", "htu": URL, "iat": int(NOW.timestamp())}
    refused(jwt.encode(payload, b"\x00" * 32, "HS256", headers=header))


def test_the_signature_is_that_of_the_key_in_the_proof() -> None:
    refused(Client(header={"jwk": jwk(OTHER_P256, "ES256")}).proof())
    good = Client().proof()
    refused(good[:-2] + ("AA" if not good.endswith("AA") else "BB"))
    refused(good.rsplit(".", 1)[0] + "." + "A" * 86)


def test_a_private_key_is_never_shown() -> None:
    for key, algorithm in ((P256, "ES256"), (ED25519, "EdDSA"), (RSA, "PS256")):
        private = json.loads(get_default_algorithms()[algorithm].to_jwk(key))
        refused(Client(key, algorithm, {"jwk": private}).proof())


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "RSA"},
        {"crv": "P-384"},
        {"crv": "secp256k1"},
        {"x": "AAAA"},
        {"x": None},
        {"y": 7},
        {"x": "B" * 43},
        {"alg": "RS256"},
        {"use": "enc"},
        {"k": "AAAA"},
    ],
)
def test_a_key_of_another_form_is_refused(changes: Mapping[str, object]) -> None:
    refused(Client(header={"jwk": {**jwk(P256, "ES256"), **changes}}).proof())


@pytest.mark.parametrize("shown", [None, "text", [], {}])
def test_what_is_no_key_is_refused(shown: object) -> None:
    refused(Client(header={"jwk": shown}).proof())


def test_one_key_has_one_spelling() -> None:
    """Another spelling of a coordinate would be another thumbprint of the same key."""
    key = jwk(P256, "ES256")
    last = "AEIMQUYcgkosw048"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert key["x"][-1] in last
    other = alphabet[alphabet.index(key["x"][-1]) + 1]
    refused(Client(header={"jwk": {**key, "x": key["x"][:-1] + other}}).proof())
    refused(Client(header={"jwk": {**key, "x": key["x"] + "="}}).proof())


def test_keys_of_rsa_are_neither_weak_nor_expensive() -> None:
    refused(Client(WEAK_RSA, "PS256").proof())
    key = jwk(RSA, "PS256")
    long = base64.urlsafe_b64encode(b"\x01" * 1025).rstrip(b"=").decode()
    refused(Client(RSA, "PS256", {"jwk": {**key, "n": long}}).proof())
    refused(Client(RSA, "PS256", {"jwk": {**key, "e": long}}).proof())


def test_an_unknown_extension_is_refused() -> None:
    refused(Client(header={"crit": ["exp"], "exp": 1}).proof())


@pytest.mark.parametrize("method", ["GET", "post", "", None, ["POST"]])
def test_the_method_is_that_of_the_request(method: object) -> None:
    refused(Client().proof(htm=method))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/oauth/tokens",
        "https://api.example.com/oauth/token/",
        "https://api.example.com/OAUTH/token",
        "http://api.example.com/oauth/token",
        "https://api.example.com:8443/oauth/token",
        "https://api.example.com.evil.example/oauth/token",
        "https://api.example.com@evil.example/oauth/token",
        "https://user@api.example.com/oauth/token",
        "https://api.example.com\n/oauth/token",
        " https://api.example.com/oauth/token",
        "https://api.example.com/oauth/token\t",
        "//api.example.com/oauth/token",
        "/oauth/token",
        "https://api.example.com:x/oauth/token",
        "https://[::1/oauth/token",
        "https://api.example.com/oauth%2Ftoken",
        "",
        None,
        7,
    ],
)
def test_the_url_is_that_of_the_request(url: object) -> None:
    refused(Client().proof(htu=url))


@pytest.mark.parametrize(
    "url",
    [
        f"{URL}?a=b",
        f"{URL}#part",
        "HTTPS://API.EXAMPLE.COM/oauth/token",
        "https://api.example.com:443/oauth/token",
        "https://api.example.com/%6Fauth/token",
    ],
)
def test_a_url_may_be_spelled_otherwise(url: str) -> None:
    """RFC 9449, section 4.3: without query and fragment, after normalization."""
    assert check(Client().proof(htu=url))
    assert check(Client().proof(), url=url)


@pytest.mark.parametrize("seconds", [-60, -1, 0, 59.5, 60])
def test_clocks_may_differ_by_a_minute(seconds: float) -> None:
    assert check(Client().proof(iat=NOW.timestamp() + seconds))


@pytest.mark.parametrize(
    "issued",
    [
        NOW.timestamp() - 61,
        NOW.timestamp() + 61,
        0,
        -1,
        str(int(NOW.timestamp())),
        True,
        None,
        10**400,
        float("nan"),
        float("inf"),
    ],
)
def test_a_proof_of_another_time_is_refused(issued: object) -> None:
    refused(Client().proof(iat=issued))


def test_a_proof_belongs_to_its_token() -> None:
    ath = base64.urlsafe_b64encode(hashlib.sha256(b"a token").digest()).rstrip(b"=").decode()
    assert check(Client().proof(ath=ath), access_token="a token")
    for other in (ABSENT, None, "", ath + "=", ath.lower(), ath[:-1], 7, "\ud800"):
        refused(Client().proof(ath=other), access_token="a token")
    refused(Client().proof(ath=ath), access_token="another token")


def test_a_missing_nonce_is_asked_for() -> None:
    for nonce in (ABSENT, "", "made-up", 7, None, "\ud800", DpopNonces(b"x" * 16).issue(NOW)):
        assert refused(Client().proof(nonce=nonce), nonces=NONCES) == "use_dpop_nonce"
    assert check(Client().proof(nonce=NONCES.issue(NOW)), nonces=NONCES)


def test_a_nonce_is_asked_for_only_when_all_else_is_right() -> None:
    assert refused(Client().proof(htm="GET"), nonces=NONCES) == "invalid_dpop_proof"
    forged = Client(header={"jwk": jwk(OTHER_P256, "ES256")}).proof()
    assert refused(forged, nonces=NONCES) == "invalid_dpop_proof"


def test_a_nonce_is_good_for_a_while_in_all_processes() -> None:
    nonce, period = NONCES.issue(NOW), dpop.NONCE_PERIOD
    same_secret = DpopNonces(b"a secret of all processes")
    assert same_secret.accepts(nonce, NOW)
    assert same_secret.accepts(nonce, NOW + period)
    assert not same_secret.accepts(nonce, NOW + 2 * period)
    # A clock that is behind.
    assert same_secret.accepts(nonce, NOW - period)
    assert not same_secret.accepts(nonce, NOW - 2 * period)
    assert issubclass(DpopNonceError, DpopError)


def test_nonces_need_a_secret() -> None:
    with pytest.raises(ValueError, match="too short"):
        DpopNonces(b"short")


def test_proofs_are_told_apart_by_key_and_jti() -> None:
    first = check(Client().proof())
    again = check(Client().proof(iat=NOW.timestamp() + 1))
    other_jti = check(Client().proof(jti="two"))
    other_key = check(Client(OTHER_P256).proof())
    assert first == again
    assert len({proof.replay_id for proof in (first, other_jti, other_key)}) == 3


def test_a_proof_is_not_good_for_longer_than_it_is_remembered() -> None:
    assert timedelta(seconds=dpop.REPLAY_SECONDS) > 2 * dpop.CLOCK_TOLERANCE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d",
        "a.b.c",
        "..",
        "e30.e30.e30",
        "W10.W10.W10",
        "bnVsbA.bnVsbA.bnVsbA",
        "_w._w._w",
        "ä.ö.ü",
        "A" * 5000,
    ],
)
def test_what_is_no_jwt_is_refused(text: str) -> None:
    assert refused(text) == "invalid_dpop_proof"


def test_two_proofs_are_none() -> None:
    """Two headers become one text with a comma on their way."""
    proof = Client().proof()
    for text in (f"{proof},{proof}", f"{proof}, {proof}", f" {proof}", f"{proof}\n", f"{proof}=="):
        refused(text)


def test_deeply_nested_json_is_refused() -> None:
    nested = base64.urlsafe_b64encode(b"[" * 1200).rstrip(b"=").decode()
    refused(f"{nested}.{nested}.AA")


def test_a_long_proof_is_refused_before_it_is_read() -> None:
    refused(Client().proof(text="x" * 4000))


def test_a_token_is_bound_to_one_key() -> None:
    jkt = check(Client().proof()).jkt
    assert dpop.is_bound_to({"cnf": {"jkt": jkt}}, jkt)
    others: tuple[dict[str, Any], ...] = (
        {},
        {"cnf": None},
        {"cnf": {}},
        {"cnf": "text"},
        {"cnf": {"jkt": jkt[:-1]}},
        {"cnf": {"jkt": [jkt]}},
        {"cnf": {"x5t#S256": jkt}},
        {"cnf": {"jkt": jkt, "x5t#S256": "other"}},
        {"cnf": {"jkt": "é"}},
    )
    for claims in others:
        assert not dpop.is_bound_to(claims, jkt)
        # No token with a confirmation of any kind passes as bearer.
        assert (dpop.confirmation(claims) is None) == ("cnf" not in claims)


def test_a_key_with_members_of_its_own_is_the_same_key() -> None:
    plain = check(Client().proof())
    client = replace(Client(), header={"jwk": {**jwk(P256, "ES256"), "kid": "mine", "use": "sig"}})
    assert check(client.proof()).jkt == plain.jkt
