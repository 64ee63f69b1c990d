"""Asks the rate limit service for what only the core can see, for example an email address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import grpc
from envoy.extensions.common.ratelimit.v3 import ratelimit_pb2
from envoy.service.ratelimit.v3 import rls_pb2, rls_pb2_grpc
from grpc import aio

from portico_contract.limit_categories import LimitCategory
from portico_kit.errors import DomainError, UnavailableError
from portico_kit.secrets import Secrets
from portico_kit.status import StatusCode

DOMAIN = "portico"
# The kind of mails whose rate is their own: somebody waits for each.
CODE = "code"


class RateLimitExceededError(DomainError):
    """Too many requests; try again later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "RATE_LIMIT_EXCEEDED"


@dataclass(frozen=True, slots=True)
class Payer:
    """An organization that is charged, by its tier."""

    id: UUID
    tier: str


class Limiter:
    """A client of edge/ratelimit, over the protocol that Envoy speaks with it."""

    def __init__(self, channel: aio.Channel, secrets: Secrets, timeout_seconds: float) -> None:
        """Takes how long a decision may take, in seconds; after that there is no limiter."""
        self._stub = rls_pb2_grpc.RateLimitServiceStub(channel)
        self._secrets = secrets
        self._timeout_seconds = timeout_seconds

    async def charge_email(self, email: str, category: LimitCategory) -> None:
        """Charges one request to an address; the limiter sees only a keyed hash of it.

        Raises:
            RateLimitExceededError: if the address has none left.
            UnavailableError: if the limiter does not answer. What is limited here
                must not be open to guessing, so it fails closed.
        """
        await self._charge([{"email": self._hash(email), "category": category}])

    async def charge_credential(self, holder: UUID | None, address: str) -> None:
        """Charges a call for the credential in its request.

        Neighbours share an address: whoever sends made-up credentials from it uses up
        nothing of those who have good ones.

        Args:
            holder: the session whose it is, if it is good now; else None. An old one may
                be in anybody's hands, and must not use up what its holder needs.
            address: of the client, which pays for all others.

        Raises:
            RateLimitExceededError: if whoever pays has none left. An absent limiter stops
                nobody: there is too much of such a credential to be guessed.
        """
        payer = {"subject": str(holder)} if holder else {"address": address}
        with suppress(UnavailableError):
            await self._charge([{"category": LimitCategory.CREDENTIAL, **payer}])

    async def charge_mail(
        self, recipient: str, kind: str, sender: str | None, organization: Payer | None
    ) -> None:
        """Charges one mail to everybody who is to answer for it: to all of them, or to none.

        Args:
            recipient: its address; the limiter sees only a keyed hash of it.
            kind: what is mailed; an address has a budget for each kind.
            sender: who causes it; None for somebody who is not signed in.
            organization: in whose name it is sent, if in any.

        Raises:
            RateLimitExceededError: if one of them has none left.
            UnavailableError: if the limiter does not answer. A mail that nobody
                counted could be one of a thousand, so it fails closed.
        """
        recipient_hash = self._hash(f"{kind}:{recipient}")
        category = LimitCategory.MAIL_CODE if kind == CODE else LimitCategory.MAIL_RECIPIENT
        charged = [{"category": category, "email": recipient_hash}]
        if sender is not None:
            charged.append({"category": LimitCategory.MAIL_SENDER, "subject": sender})
        if organization is not None:
            named = {"organization": str(organization.id), "tier": organization.tier}
            charged.append({"category": LimitCategory.MAIL_ORGANIZATION, **named})
        await self._charge(charged)

    def _hash(self, text: str) -> str:
        return self._secrets.mac("limiter", text).hex()

    async def _charge(self, charged: Sequence[Mapping[str, str]]) -> None:
        descriptors = [_descriptor(entries) for entries in charged]
        request = rls_pb2.RateLimitRequest(domain=DOMAIN, descriptors=descriptors)
        try:
            answer = await self._stub.ShouldRateLimit(request, timeout=self._timeout_seconds)
        except grpc.RpcError as error:
            raise UnavailableError from error
        if answer.overall_code == rls_pb2.RateLimitResponse.OVER_LIMIT:
            raise RateLimitExceededError(retry_after=_retry_after(answer))


def _retry_after(answer: rls_pb2.RateLimitResponse) -> timedelta:
    """When the last of the budgets that are used up has something left."""
    over = [
        status.duration_until_reset.seconds
        for status in answer.statuses
        if status.code == rls_pb2.RateLimitResponse.OVER_LIMIT
    ]
    return timedelta(seconds=max(1, *over))


def _descriptor(entries: Mapping[str, str]) -> ratelimit_pb2.RateLimitDescriptor:
    return ratelimit_pb2.RateLimitDescriptor(
        entries=[
            ratelimit_pb2.RateLimitDescriptor.Entry(key=key, value=value)
            for key, value in entries.items()
        ]
    )
