"""Resets of second factors by administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.feature import Feature, Served, Tables
from server.features.factor_resets.mails import MAILS

if TYPE_CHECKING:
    from server.parts import CoreParts

EVENTS = {
    "factor_reset.canceled": "A reset of a person's factors was canceled.",
    "factor_reset.completed": "All second factors of a person were removed.",
    "factor_reset.requested": "An administrator requested a reset of a person's factors.",
}


def _tables() -> Tables:
    from server.features.factor_resets.models import FactorReset

    return Tables(models=(FactorReset,))


def _provide(parts: CoreParts) -> None:
    from portico.factor_resets.v1.factor_reset_service_pb2 import DESCRIPTOR

    from portico_contract import methods
    from portico_kit.call import Records
    from server.features.auth.facade import Sessions
    from server.features.emails.facade import Mailer
    from server.features.factor_resets.due_resets import DueResets
    from server.features.factor_resets.resets import Resets
    from server.features.factors.facade import Factors
    from server.features.users.facade import Accounts

    service = DESCRIPTOR.services_by_name["FactorResetService"]
    method = next(each for each in methods(service) if each.name == "ResetUserFactors")
    parts.provide(
        Resets,
        lambda: Resets(
            accounts=parts.get(Accounts),
            factors=parts.get(Factors),
            sessions=parts.get(Sessions),
            mailer=parts.get(Mailer),
            secrets=parts.secrets,
        ),
    )
    parts.provide(
        DueResets,
        lambda: DueResets(
            engine=parts.engine,
            resets=parts.get(Resets),
            clock=parts.clock,
            method=method,
            records=lambda: parts.get(Records),
        ),
    )


def _serve(parts: CoreParts) -> Served:
    from portico.factor_resets.v1.factor_reset_service_pb2 import DESCRIPTOR

    from portico_kit.service import Service
    from server.features.factor_resets.due_resets import DueResets
    from server.features.factor_resets.resets import Resets
    from server.features.factor_resets.service import FactorResetService

    service = FactorResetService(parts.get(Resets))
    return Served(
        services=(Service(DESCRIPTOR.services_by_name["FactorResetService"], service),),
        background=(parts.get(DueResets).keep_looking,),
    )


FEATURE = Feature(
    name="factor_resets",
    events=EVENTS,
    mails=MAILS,
    tables=_tables,
    provide=_provide,
    serve=_serve,
)
