"""Passkeys as the contract shows them."""

from __future__ import annotations

from collections.abc import Iterable

from portico.passkeys.v1 import passkey_pb2 as pb

from portico_kit.clock import timestamp
from server.features.factors.facade import Factor
from server.features.passkeys.credentials import encoded
from server.features.passkeys.models import Passkey
from server.features.passkeys.providers import provider
from server.features.passkeys.relying_party import RelyingParty
from server.features.users.facade import Account


def passkey(row: Passkey, factor: Factor) -> pb.Passkey:
    """The message for a row, with what all factors have."""
    return pb.Passkey(
        factor_id=str(row.factor_id),
        credential_id=encoded(row.credential_id),
        name=factor.name,
        provider=provider(row.aaguid),
        aaguid=str(row.aaguid),
        transports=row.transports,
        synced=row.backup_eligible,
        backed_up=row.backed_up,
        created_at=timestamp(factor.created_at),
        last_used_at=timestamp(factor.last_used_at),
    )


def signal(
    site: RelyingParty, account: Account, handle: bytes, rows: Iterable[Passkey]
) -> pb.PasskeySignal:
    """What a page reports of all passkeys of a person."""
    return pb.PasskeySignal(
        rp_id=site.id,
        user_id=encoded(handle),
        name=account.email,
        display_name=account.display_name,
        all_accepted_credential_ids=[encoded(row.credential_id) for row in rows],
    )
