"""Passkeys of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.feature import Feature, Served, Tables

if TYPE_CHECKING:
    from server.parts import CoreParts


def _tables() -> Tables:
    from server.features.passkeys import models
    from server.features.passkeys.cleanup import delete_used_challenges
    from server.features.passkeys.errors import PasskeyAlreadyRegisteredError

    return Tables(
        models=(models.Passkey, models.UsedPasskeyChallenge),
        cleanup={"used_passkey_challenges": delete_used_challenges},
        constraint_errors={"uq_passkeys_credential_id": PasskeyAlreadyRegisteredError},
    )


def _provide(parts: CoreParts) -> None:
    from server.features.factors.facade import Factors
    from server.features.passkeys.challenges import Challenges
    from server.features.passkeys.facade import Passkeys
    from server.features.passkeys.relying_party import RelyingParty, relying_party
    from server.features.users.facade import Accounts

    settings = parts.settings
    parts.provide(
        RelyingParty,
        lambda: relying_party(
            settings.public_url,
            settings.product_name,
            settings.passkey_rp_id,
            settings.passkey_origins,
        ),
    )
    parts.provide(
        Passkeys,
        lambda: Passkeys(
            site=parts.get(RelyingParty),
            factors=parts.get(Factors),
            accounts=parts.get(Accounts),
            challenges=Challenges(parts.secrets),
        ),
    )


def _serve(parts: CoreParts) -> Served:
    from portico.passkeys.v1.passkey_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.factors.facade import Factors
    from server.features.passkeys.challenges import Challenges
    from server.features.passkeys.relying_party import RelyingParty
    from server.features.passkeys.service import PasskeyService
    from server.features.users.facade import Accounts

    service = PasskeyService(
        site=parts.get(RelyingParty),
        factors=parts.get(Factors),
        accounts=parts.get(Accounts),
        challenges=Challenges(parts.secrets),
        secrets=parts.secrets,
    )
    return Served(services=(Service(DESCRIPTOR.services_by_name["PasskeyService"], service),))


FEATURE = Feature(name="passkeys", tables=_tables, provide=_provide, serve=_serve)
