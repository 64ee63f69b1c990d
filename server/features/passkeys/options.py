"""What a browser is asked for, in the JSON forms of WebAuthn level 3, sections 5.1.8 and 5.1.9."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from server.features.passkeys.ceremonies import ALGORITHMS
from server.features.passkeys.challenges import LIFETIME
from server.features.passkeys.credentials import encoded
from server.features.passkeys.models import Passkey
from server.features.passkeys.relying_party import RelyingParty

TIMEOUT_MS = int(LIFETIME.total_seconds() * 1000)

Json = dict[str, Any]


def creation_options(
    site: RelyingParty, user: Json, challenge: bytes, present: Iterable[Passkey]
) -> Json:
    """A PublicKeyCredentialCreationOptionsJSON.

    Args:
        user: a PublicKeyCredentialUserEntityJSON.
        present: what the person has; what holds one of them makes no other.
    """
    return {
        "rp": {"id": site.id, "name": site.name},
        "user": user,
        "challenge": encoded(challenge),
        "pubKeyCredParams": [{"type": "public-key", "alg": int(alg)} for alg in ALGORITHMS],
        "timeout": TIMEOUT_MS,
        "excludeCredentials": [_descriptor(passkey) for passkey in present],
        "authenticatorSelection": {
            "residentKey": "required",
            "requireResidentKey": True,
            "userVerification": "required",
        },
        "attestation": "none",
        "extensions": {"credProps": True},
    }


def request_options(site: RelyingParty, challenge: bytes, accepted: Iterable[Passkey]) -> Json:
    """A PublicKeyCredentialRequestOptionsJSON.

    Args:
        accepted: what may answer; with none of them, whatever the person has.
    """
    return {
        "challenge": encoded(challenge),
        "timeout": TIMEOUT_MS,
        "rpId": site.id,
        "allowCredentials": [_descriptor(passkey) for passkey in accepted],
        "userVerification": "required",
    }


def _descriptor(passkey: Passkey) -> Json:
    transports = list(passkey.transports)
    return {"type": "public-key", "id": encoded(passkey.credential_id), "transports": transports}
