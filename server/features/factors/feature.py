"""Second factors of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.feature import Feature, Served, Tables
from server.features.factors.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts

EVENTS = {
    "factor.added": "A person enrolled a second factor.",
    "factor.removed": "A second factor of a person was removed.",
}


def _tables() -> Tables:
    from server.features.factors import models
    from server.features.factors.cleanup import delete_totp_enrollments

    return Tables(
        models=(models.Factor, models.TotpSecret, models.TotpEnrollment, models.RecoveryCode),
        cleanup={"totp_enrollments": delete_totp_enrollments},
    )


def _provide(parts: CoreParts) -> None:
    from server.features.emails.facade import Mailer
    from server.features.factors.facade import Factors
    from server.features.factors.ports import DeviceMemory, ShownInSession
    from server.features.factors.shown import AuthenticatorApps, RecoveryCodes
    from server.features.organizations.facade import Tenants
    from server.features.users.facade import Accounts
    from server.features.users.ports import SecondFactors

    parts.provide(
        Factors,
        lambda: Factors(
            parts.reads,
            parts.secrets,
            parts.get(Accounts),
            parts.get(Mailer),
            parts.get(ShownInSession),
            parts.get(Tenants),
            parts.get(DeviceMemory),
        ),
    )
    parts.provide(SecondFactors, lambda: parts.get(Factors))
    parts.provide(AuthenticatorApps, lambda: AuthenticatorApps(parts.get(Factors), parts.secrets))
    parts.provide(RecoveryCodes, lambda: RecoveryCodes(parts.get(Factors)))


def _serve(parts: CoreParts) -> Served:
    from portico.factors.v1.factor_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.emails.facade import Mailer
    from server.features.factors.facade import Factors
    from server.features.factors.service import FactorService
    from server.features.users.facade import Accounts

    service = FactorService(
        factors=parts.get(Factors),
        accounts=parts.get(Accounts),
        secrets=parts.secrets,
        mailer=parts.get(Mailer),
        issuer_name=parts.settings.product_name,
    )
    return Served(services=(Service(DESCRIPTOR.services_by_name["FactorService"], service),))


FEATURE = Feature(
    name="factors", events=EVENTS, mails=MAILS, tables=_tables, provide=_provide, serve=_serve
)
