"""How often what signs somebody in may be guessed: one budget for each account, in Valkey.

An attempt is charged before it is checked and given back when it was right, so that of a
thousand at once no more are checked than of a thousand in a row. What is guessed is not
known here: the password, the current password and whatever comes beside them share a budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis

from portico_kit.clock import Clock
from portico_kit.errors import DomainError, UnavailableError
from portico_kit.secrets import Secrets
from portico_kit.status import StatusCode
from server.common.email_addresses import normal_email
from server.common.scripts import ERRORS, ScriptRunner, milliseconds

T = TypeVar("T")

log = structlog.get_logger("guesses")

GUESSES = Counter("portico_guesses", "Attempts at a password or another secret.", ["outcome"])
# The labels are there from the start: a rate of what has never been counted is no rate.
RIGHT, WRONG, REFUSED, UNCHECKED, UNAVAILABLE = (
    GUESSES.labels(outcome) for outcome in ("right", "wrong", "refused", "unchecked", "unavailable")
)

PURPOSE = "guesses"
# So much of a keyed hash that no two are alike by chance, and little where a million are kept.
HASH_BYTES = 16

_SCRIPT = """
-- KEYS: the budget.
-- ARGV: now in milliseconds, what to do, and but for "charge" the time of the attempt.
--   "charge" returns 0 if the attempt may be checked, else the milliseconds until one may;
--   "release" takes an attempt back; "fail" keeps it, and returns 1 if it used the budget up
--   and nobody has been told of that in this window.
-- A budget is when it was last told that it is used up (6 bytes) and for each attempt its time
-- (6) and whether it has failed (1): pending ones are being checked.
local WINDOW, DAY, SECOND = 900000, 86400000, 1000
local FREE, IN_WINDOW, IN_DAY = 5, 10, 100
-- No check takes so long: whoever charged it has died.
local ABANDONED = 60000
local HEADER, ENTRY, HEADER_BYTES, ENTRY_BYTES = '<I6', '<I6B', 6, 7
local now, action, charged_at = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])

-- The clock of another process may be a little ahead. A time in the far future is an error, and
-- would refuse everybody until then.
local function recent(at, length) return at > now - length and at <= now + WINDOW end

local told, attempts = 0, {}
local value = redis.call('GET', KEYS[1]) or ''
if #value >= HEADER_BYTES and (#value - HEADER_BYTES) % ENTRY_BYTES == 0 then
  told = struct.unpack(HEADER, value)
  for position = HEADER_BYTES + 1, #value, ENTRY_BYTES do
    local at, failed = struct.unpack(ENTRY, value, position)
    if recent(at, DAY) then attempts[#attempts + 1] = {at = at, failed = failed == 1} end
  end
end

local function count(length)
  local charged, failed = 0, 0
  for _, attempt in ipairs(attempts) do
    if recent(attempt.at, length) then
      charged = charged + 1
      if attempt.failed or attempt.at <= now - ABANDONED then failed = failed + 1 end
    end
  end
  return charged, failed
end

local function save()
  table.sort(attempts, function(a, b) return a.at < b.at end)
  if #attempts == 0 then return redis.call('DEL', KEYS[1]) end
  local packed = {struct.pack(HEADER, told)}
  for i = math.max(1, #attempts - IN_DAY + 1), #attempts do
    packed[#packed + 1] = struct.pack(ENTRY, attempts[i].at, attempts[i].failed and 1 or 0)
  end
  local life = attempts[#attempts].at + DAY - now
  redis.call('SET', KEYS[1], table.concat(packed), 'PX', string.format('%.0f', life))
end

local function remove_pending()
  for i, attempt in ipairs(attempts) do
    if attempt.at == charged_at and not attempt.failed then return table.remove(attempts, i) end
  end
end

-- Until when the newest `limit` attempts fill a window. One that is being checked may be given
-- back at any moment, so while it depends on those, the next second is worth a try.
local function wait_for(limit, length)
  local charged, failed = count(length)
  if charged < limit then return 0 end
  if failed < limit then return SECOND end
  return attempts[#attempts - limit + 1].at + length - now
end

-- From the fifth failure on, twice as long after each one.
local function pause()
  local charged, failed = count(WINDOW)
  if failed < FREE then return 0 end
  return math.min(attempts[#attempts].at, now) + 2 ^ (charged - FREE) * SECOND - now
end

if action == 'charge' then
  local wait = math.max(wait_for(IN_DAY, DAY), wait_for(IN_WINDOW, WINDOW))
  if wait <= 0 then wait = pause() end
  if wait > 0 then return math.ceil(wait) end
  attempts[#attempts + 1] = {at = now, failed = false}
  save()
  return 0
end

remove_pending()
if action == 'release' then
  save()
  return 0
end
attempts[#attempts + 1] = {at = now, failed = true}
local _, in_window = count(WINDOW)
local _, in_day = count(DAY)
local used_up = in_window >= IN_WINDOW or in_day >= IN_DAY
local tell = used_up and not recent(told, WINDOW)
if tell then told = now end
save()
return tell and 1 or 0
"""


class TooManyAttemptsError(DomainError):
    """There were too many attempts; try again later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "TOO_MANY_ATTEMPTS"


@dataclass(frozen=True, slots=True)
class Guess(Generic[T]):
    """What came of an attempt.

    Attributes:
        found: what the check gave: something true if the attempt was right.
        used_up: whether it is the one that used the budget up, of which the owner is told:
            true once in a window.
    """

    found: T
    used_up: bool = False


class GuessBudget:
    """Counts the attempts at each account.

    Up to 5 failures in 15 minutes cost nothing; after each further one the next attempt has
    to wait twice as long, from a second on. After 10 in 15 minutes, or 100 in a day, there is
    none until the oldest of them is over. A right attempt is given back and clears nothing:
    whoever knows one secret of an account must not get more attempts at another.
    """

    def __init__(self, redis: Redis, secrets: Secrets, clock: Clock) -> None:
        self._run = ScriptRunner(redis, _SCRIPT)
        self._secrets = secrets
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()

    async def guess(
        self, email: str, device: bytes | None, check: Callable[[], Awaitable[T]]
    ) -> Guess[T]:
        """Checks an attempt, if there is one left.

        An attempt whose check raises or is cancelled was none.

        Args:
            email: the address of the account, which need not exist.
            device: known to the account, whose budget is its own; None for all others.
            check: gives something true if the attempt is right, and what it is; called at most
                once.

        Raises:
            TooManyAttemptsError: if there is no attempt left now.
            UnavailableError: if nobody can say so; what is not counted is not checked.
        """
        name = self._name(email, device)
        charged_at = milliseconds(self._clock())
        await self._charge(name, charged_at)
        try:
            found = await check()
        except (Exception, asyncio.CancelledError):
            UNCHECKED.inc()
            await self._settle(name, "release", charged_at)
            raise
        (RIGHT if found else WRONG).inc()
        used_up = await self._settle(name, "release" if found else "fail", charged_at)
        return Guess(found, used_up)

    def _name(self, email: str, device: bytes | None) -> bytes:
        """Where a budget is kept: nothing in it says whose it is."""
        holder = normal_email(email) + (f" {device.hex()}" if device else "")
        return b"guesses:" + self._secrets.mac(PURPOSE, holder)[:HASH_BYTES]

    async def _charge(self, name: bytes, now: int) -> None:
        charging = self._start(self._run([name], now, "charge"))
        try:
            wait = await asyncio.shield(charging)
        except asyncio.CancelledError:
            # Whether it was charged is known when Valkey has answered, not before.
            self._start(self._take_back(charging, name, now))
            raise
        except ERRORS as error:
            UNAVAILABLE.inc()
            raise UnavailableError from error
        if wait:
            REFUSED.inc()
            raise TooManyAttemptsError(retry_after=timedelta(milliseconds=wait))

    async def _settle(self, name: bytes, action: str, charged_at: int) -> bool:
        """Releases an attempt or keeps it as a failure; says whether to tell the owner.

        It happens though the caller leaves. Where Valkey does not answer, the attempt stays
        charged, and is a failure after a while.
        """
        now = milliseconds(self._clock())
        settling = self._start(self._run([name], now, action, charged_at))
        try:
            return bool(await asyncio.shield(settling))
        except ERRORS:
            log.warning("guess_not_settled", action=action)
            return False

    async def _take_back(self, charging: asyncio.Task[int], name: bytes, charged_at: int) -> None:
        with suppress(*ERRORS):
            if await charging == 0:
                await self._settle(name, "release", charged_at)

    def _start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Runs to its end, whoever waits for it."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task
