"""The person's factors, as several pages ask for them."""

from __future__ import annotations

from portico.factors.v1 import factor_service_pb2 as pb
from portico.factors.v1.factor_pb2 import Factor

from edge.web.visit import Visit


async def list_factors(visit: Visit) -> pb.ListFactorsResponse:
    """The factors, oldest first, and how many recovery codes are left."""
    return await visit.ask_as_person(visit.site.core.factors.ListFactors, pb.ListFactorsRequest())


async def find_factor(visit: Visit) -> tuple[Factor | None, int]:
    """The factor that the page is about, and how many the person has.

    Another window may have removed it.
    """
    factors = (await list_factors(visit)).factors
    wanted = visit.value("factor_id")
    return next((each for each in factors if each.id == wanted), None), len(factors)
