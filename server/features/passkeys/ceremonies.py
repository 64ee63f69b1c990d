"""The rules of WebAuthn level 3, section 7: what an answer must be to be good.

Pure: no database and no clock. Each rule that an answer can break has a name, which a
refusal says; it helps who writes a client, and says nothing that the sender does not know.
Attestation is not asked for, so nothing is believed of an authenticator's make.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authenticator_data,
    verify_signature,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier as Algorithm
from webauthn.helpers.structs import (
    AttestationFormat,
    AttestationObject,
    AttestedCredentialData,
    AuthenticatorData,
)
from webauthn.registration.formats.packed import verify_packed

from server.features.passkeys.credentials import RegistrationAnswer, SignedAnswer, decoded
from server.features.passkeys.relying_party import RelyingParty

CREATE = "webauthn.create"
GET = "webauthn.get"
# The best first.
ALGORITHMS = (
    Algorithm.ECDSA_SHA_256,
    Algorithm.EDDSA,
    Algorithm.RSASSA_PKCS1_v1_5_SHA_256,
)
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 4096
AAGUID_BYTES = 16


class BrokenRuleError(Exception):
    """An answer is not good.

    Attributes:
        rule: the name of the rule that it breaks.
    """

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class RegisteredPasskey:
    """What is kept of a new passkey."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    aaguid: UUID
    backup_eligible: bool
    backed_up: bool


@dataclass(frozen=True, slots=True)
class ShownPasskey:
    """What a passkey says of itself when it is used."""

    sign_count: int
    backed_up: bool


def challenge_of(client_data: bytes) -> bytes:
    """The challenge that an answer is to; b"" if it says none.

    Raises:
        BrokenRuleError: "client_data" if that cannot be read.
    """
    challenge = _client_data(client_data).get("challenge")
    return (decoded(challenge) or b"") if isinstance(challenge, str) else b""


def registered(answer: RegistrationAnswer, site: RelyingParty) -> RegisteredPasskey:
    """A new passkey, if its answer keeps to the rules of section 7.1.

    The caller has looked at the challenge.

    Raises:
        BrokenRuleError: naming the rule.
    """
    _require_client_data(answer.client_data, CREATE, site)
    attestation = _attestation(answer.attestation)
    data = attestation.auth_data
    _require_flags(data, site)
    new = data.attested_credential_data
    if new is None or len(new.aaguid) != AAGUID_BYTES:
        raise BrokenRuleError("authenticator_data")
    if new.credential_id != answer.credential_id:
        raise BrokenRuleError("credential_id")
    _public_key(new.credential_public_key)
    _require_statement(attestation, new, answer)
    return RegisteredPasskey(
        credential_id=new.credential_id,
        public_key=new.credential_public_key,
        sign_count=data.sign_count,
        aaguid=UUID(bytes=new.aaguid),
        backup_eligible=data.flags.be,
        backed_up=data.flags.bs,
    )


def shown(
    answer: SignedAnswer, public_key: bytes, *, backup_eligible: bool, site: RelyingParty
) -> ShownPasskey:
    """What a passkey shows, if its answer keeps to the rules of section 7.2.

    The caller has looked at the challenge and at whose the passkey is, and looks at the count.

    Args:
        public_key: the one that was registered, a COSE_Key.
        backup_eligible: what it said of that when it was registered.

    Raises:
        BrokenRuleError: naming the rule.
    """
    _require_client_data(answer.client_data, GET, site)
    data = _authenticator_data(answer.authenticator_data)
    _require_flags(data, site)
    if data.flags.be != backup_eligible:
        raise BrokenRuleError("backup_eligibility")
    _require_signature(answer, public_key)
    return ShownPasskey(data.sign_count, data.flags.bs)


def _client_data(raw: bytes) -> dict[str, Any]:
    try:
        data = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise BrokenRuleError("client_data")
    return data


def _require_client_data(raw: bytes, kind: str, site: RelyingParty) -> None:
    """Where the answer was made. Ours are never made in a frame of another site's page."""
    data = _client_data(raw)
    if data.get("type") != kind:
        raise BrokenRuleError("type")
    if data.get("origin") not in site.origins:
        raise BrokenRuleError("origin")
    if data.get("crossOrigin", False) is not False:
        raise BrokenRuleError("cross_origin")
    if "topOrigin" in data:
        raise BrokenRuleError("top_origin")


def _require_flags(data: AuthenticatorData, site: RelyingParty) -> None:
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(site.id.encode()).digest()):
        raise BrokenRuleError("rp_id")
    if not data.flags.up:
        raise BrokenRuleError("user_presence")
    if not data.flags.uv:
        raise BrokenRuleError("user_verification")
    if data.flags.bs and not data.flags.be:
        raise BrokenRuleError("backup_state")


def _authenticator_data(raw: bytes) -> AuthenticatorData:
    try:
        return parse_authenticator_data(raw)
    # The parser fails in as many ways as there are malformed bytes.
    except Exception as error:
        raise BrokenRuleError("authenticator_data") from error


def _attestation(raw: bytes) -> AttestationObject:
    try:
        return parse_attestation_object(raw)
    except Exception as error:
        raise BrokenRuleError("attestation_object") from error


def _require_statement(
    attestation: AttestationObject, new: AttestedCredentialData, answer: RegistrationAnswer
) -> None:
    """Who asks for no attestation gets none, or one that the new key has signed itself."""
    if attestation.fmt == AttestationFormat.NONE:
        good = not any(vars(attestation.att_stmt).values())
    elif attestation.fmt == AttestationFormat.PACKED:
        good = _is_self_signed(attestation, new, answer)
    else:
        good = False
    if not good:
        raise BrokenRuleError("attestation")


def _is_self_signed(
    attestation: AttestationObject, new: AttestedCredentialData, answer: RegistrationAnswer
) -> bool:
    try:
        return verify_packed(
            attestation_statement=attestation.att_stmt,
            attestation_object=answer.attestation,
            client_data_json=answer.client_data,
            credential_public_key=new.credential_public_key,
            pem_root_certs_bytes=[],
        )
    except Exception:
        return False


PublicKey = EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey


def _public_key(raw: bytes) -> tuple[PublicKey, Algorithm]:
    """The key of a passkey, of one of the algorithms that were asked for."""
    try:
        key = decode_credential_public_key(raw)
        usable: object = decoded_public_key_to_cryptography(key)
    except Exception as error:
        raise BrokenRuleError("public_key") from error
    match key.alg, usable:
        case Algorithm.ECDSA_SHA_256, EllipticCurvePublicKey(curve=SECP256R1()):
            return usable, key.alg
        case Algorithm.EDDSA, Ed25519PublicKey():
            return usable, key.alg
        case Algorithm.RSASSA_PKCS1_v1_5_SHA_256, RSAPublicKey(key_size=bits) if (
            MIN_RSA_BITS <= bits <= MAX_RSA_BITS
        ):
            return usable, key.alg
    raise BrokenRuleError("algorithm")


def _require_signature(answer: SignedAnswer, public_key: bytes) -> None:
    key, algorithm = _public_key(public_key)
    signed = answer.authenticator_data + hashlib.sha256(answer.client_data).digest()
    try:
        verify_signature(
            public_key=key, signature_alg=algorithm, signature=answer.signature, data=signed
        )
    except InvalidSignature as error:
        raise BrokenRuleError("signature") from error
