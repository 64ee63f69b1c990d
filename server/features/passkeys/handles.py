"""User handles: what a provider is given in place of an id or an address of ours."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from portico_kit.secrets import Secrets
from server.features.passkeys.models import Passkey

_PURPOSE = "passkey-user-handle"


def user_handle(secrets: Secrets, user_id: UUID, passkeys: Sequence[Passkey]) -> bytes:
    """The one of a person, 32 bytes that nobody else can compute.

    Providers keep one account for each handle, so all passkeys of a person have the first
    one's, whatever the secret key is now.
    """
    if passkeys:
        return passkeys[0].user_handle
    return secrets.mac(_PURPOSE, str(user_id))
