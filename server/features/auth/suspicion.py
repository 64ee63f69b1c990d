"""Failures that are none alone: many accounts from one client, one account from many clients.

Each failure is noted in Valkey under what it has in common with others. Nothing is refused for
it: the budgets of guesses and of addresses do that. It is counted, and stands in the audit log.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from prometheus_client import Counter
from redis.asyncio import Redis

from portico_kit.call import Call
from portico_kit.clock import Clock
from portico_kit.secrets import Secrets
from server.common.email_addresses import normal_email
from server.common.networks import subscriber
from server.common.scripts import ERRORS, ScriptRunner, milliseconds

Pattern = Literal["many_accounts", "many_addresses"]

SUSPICIOUS = Counter(
    "portico_login_suspicious",
    "Sign-ins that failed in a pattern: many accounts from one address, or the reverse.",
    ["pattern"],
)
# The labels are there from the start: a rate of what has never been counted is no rate.
for _pattern in ("many_accounts", "many_addresses"):
    SUSPICIOUS.labels(_pattern)
UNRECOGNIZED = Counter(
    "portico_session_unrecognized", "Sign-ins from a device or a network new to the account."
)

PURPOSE = "suspicion"
HASH_BYTES = 8
# So many different ones within an hour. People behind one address mistype their passwords,
# and a person who travels has a few addresses.
ACCOUNTS = 10
ADDRESSES = 5

_SCRIPT = """
-- KEYS: a set of what failed, by the time of its last failure in milliseconds.
-- ARGV: now, what failed, and how many different ones are a pattern.
-- Returns 1 if they are one now, and were not said to be within the last hour.
local HOUR, SAID = 3600000, '!'
local now, most = tonumber(ARGV[1]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - HOUR)
-- A time in the far future is an error of a clock.
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + HOUR, '+inf')
local said = redis.call('ZSCORE', KEYS[1], SAID)
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('PEXPIRE', KEYS[1], HOUR)
local different = redis.call('ZCARD', KEYS[1]) - (said and 1 or 0)
if different > most then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 1)
  redis.call('ZREM', KEYS[1], oldest[1] == SAID and oldest[2] or oldest[1])
end
if said or different < most then return 0 end
redis.call('ZADD', KEYS[1], now, SAID)
return 1
"""


class Suspicion:
    """Looks for patterns in sign-ins that failed."""

    def __init__(self, redis: Redis, secrets: Secrets, clock: Clock) -> None:
        self._run = ScriptRunner(redis, _SCRIPT)
        self._secrets = secrets
        self._clock = clock

    async def note(self, email: str, user_id: UUID | None, call: Call) -> None:
        """Notes a failure at an account, or at an address that nobody has.

        Without Valkey nothing is noted: the failure is refused all the same.
        """
        account = self._hash(f"account {normal_email(email)}")
        client = self._hash(f"client {subscriber(call.client.address)}")
        if await self._crosses(client, account, ACCOUNTS):
            self._report("many_accounts", None, call)
        if await self._crosses(account, client, ADDRESSES):
            self._report("many_addresses", user_id, call)

    async def _crosses(self, common: bytes, different: bytes, most: int) -> bool:
        now = milliseconds(self._clock())
        try:
            return bool(await self._run([b"suspicion:" + common], now, different, most))
        except ERRORS:
            return False

    def _report(self, pattern: Pattern, user_id: UUID | None, call: Call) -> None:
        SUSPICIOUS.labels(pattern).inc()
        call.record("login.suspicious", target_id=user_id, details={"pattern": pattern})

    def _hash(self, text: str) -> bytes:
        return self._secrets.mac(PURPOSE, text)[:HASH_BYTES]
