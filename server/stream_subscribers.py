"""Lets callers in to streams that another process writes, by the rules of StreamEvents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from portico.events.v1 import event_service_pb2 as pb

from portico_contract import Method, methods
from portico_kit.call import Call, Client, Records
from portico_kit.clock import Clock
from portico_kit.edge_state.possession import POSSESSION_HEADER
from portico_kit.ids import new_id, parse_id
from portico_kit.jwt import Claims, TokenVerifier
from portico_kit.rpc.access import Access, subjects

SERVICE, NAME = "EventService", "StreamEvents"


class StreamSubscribers:
    """Asks the interceptor that stands before StreamEvents itself."""

    def __init__(self, clock: Clock, records: Records) -> None:
        self._clock, self._records = clock, records
        self._method = _stream_events()

    def use(self, access: Access, verifier: TokenVerifier) -> None:
        """Takes what decides. The features are asked first which tokens there are."""
        self._access, self._verifier = access, verifier

    async def admit(
        self,
        request: pb.StreamEventsRequest,
        access_token: str,
        possession: str,
        client: Client,
        request_id: str,
    ) -> tuple[Call, Claims, Iterable[str]]:
        """See `Subscribers.admit`."""
        metadata = {"authorization": f"Bearer {access_token}"} if access_token else {}
        call = self._call({**metadata, POSSESSION_HEADER: possession}, client, request_id)
        await self._access.admit(request, call)
        claims = await self._verifier.verify(access_token)
        return call, claims, subjects(call.principal, call.organization_id, claims)

    async def readmit(
        self, request: pb.StreamEventsRequest, claims: Claims, client: Client
    ) -> Call:
        """See `Subscribers.readmit`."""
        call = self._call({}, client, str(new_id()))
        call.organization_id = parse_id(request.organization_id)
        await self._access.readmit(request, call, claims)
        return call

    def _call(self, metadata: Mapping[str, str], client: Client, request_id: str) -> Call:
        return Call(
            method=self._method,
            metadata=metadata,
            client=client,
            request_id=request_id,
            now=self._clock(),
            records=self._records,
        )


def _stream_events() -> Method:
    [found] = [
        method for method in methods(pb.DESCRIPTOR.services_by_name[SERVICE]) if method.name == NAME
    ]
    return found
