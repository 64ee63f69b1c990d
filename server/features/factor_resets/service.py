"""Resets of factors: the verbs."""

from __future__ import annotations

from dataclasses import dataclass

from portico.factor_resets.v1 import factor_reset_service_pb2 as pb

from portico_kit.call import Call
from portico_kit.ids import parse_id
from server.features.factor_resets.resets import Resets


@dataclass(frozen=True, slots=True)
class FactorResetService:
    """Serves portico.factor_resets.v1.FactorResetService."""

    resets: Resets

    async def ResetUserFactors(
        self, request: pb.ResetUserFactorsRequest, call: Call
    ) -> pb.ResetUserFactorsResponse:
        reset = await self.resets.request(parse_id(request.user_id), call)
        return pb.ResetUserFactorsResponse(reset=reset)

    async def CancelFactorReset(
        self, request: pb.CancelFactorResetRequest, call: Call
    ) -> pb.CancelFactorResetResponse:
        await self.resets.cancel(request.token, call)
        return pb.CancelFactorResetResponse()
