"""How many text messages can be caused, and when they are stopped: decided in Valkey.

Each costs money, which goes in part to whoever sells the number: numbers that somebody has sent
codes to by the thousand, and never types one in, are a way to earn it (SMS pumping, toll fraud).
One script decides, so that of a thousand at once no more are sent than of a thousand in a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter
from redis.asyncio import Redis

from portico_kit.call import Call
from portico_kit.clock import Clock
from portico_kit.errors import UnavailableError
from portico_kit.secrets import Secrets
from server.common.limiter import RateLimitExceededError
from server.common.networks import subscriber
from server.common.phone_numbers import PhoneNumber
from server.common.scripts import ERRORS, ScriptRunner, milliseconds
from server.features.sms.errors import SmsStoppedError

log = structlog.get_logger("sms")

CODES = Counter(
    "portico_sms_codes", "Codes by SMS, by what became of them.", ["country", "outcome"]
)
SENT, VERIFIED, REFUSED = OUTCOMES = ("sent", "verified", "refused")
STOPPED = Counter(
    "portico_sms_stopped",
    "How often text messages to a country were stopped, because few codes are typed in.",
    ["country"],
)
UNAVAILABLE = Counter(
    "portico_sms_not_counted", "Text messages that were not sent, because Valkey did not answer."
)

PURPOSE = "sms-budget"
HASH_BYTES = 16

_CHARGE = """
-- KEYS: the sends to a number; the numbers of a client address; those of an account; the
--   countries of the client address; the sends to a country; the mark of a stopped country.
-- ARGV: now in milliseconds, the send, the number, the country, 1 if the number is new to the
--   account.
-- Returns 0 if it may be sent; STOPS if it stops the country just now; STOPPED if that was
-- stopped before; else the milliseconds until it is worth another try.
local MINUTE, HOUR, DAY, WEEK = 60000, 3600000, 86400000, 604800000
local STOPS, STOPPED = -2, -1
local IN_HOUR, NUMBERS, COUNTRIES = 5, 3, 5
-- Of so many sends so many have to be verified. One counts when it is verified, or this old.
local WINDOW, LEAST, GRACE = 50, 10, 2 * MINUTE
-- So many may be on their way to a country: in the time that they are given anybody could send
-- any number.
local PENDING = 200
local to_number, of_address, of_account, countries, to_country, stopped = unpack(KEYS)
local now, send, number, country = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local new = ARGV[5] == '1'

-- Forgets what is older; a time in the far future is an error of a clock.
local function forget(key, length)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - length)
  redis.call('ZREMRANGEBYSCORE', key, now + HOUR, '+inf')
end

local function add(key, member, length)
  redis.call('ZADD', key, now, member)
  redis.call('PEXPIRE', key, length)
end

-- When the entry at a place, from the oldest, leaves the window.
local function wait_for(key, place, length)
  local entry = redis.call('ZRANGE', key, place, place, 'WITHSCORES')
  return math.max(1, math.ceil(tonumber(entry[2]) + length - now))
end

local stopped_until = tonumber(redis.call('GET', stopped) or 0)
if stopped_until > now and stopped_until <= now + DAY then return STOPPED end

forget(countries, DAY)
if redis.call('ZCARD', countries) > COUNTRIES then
  return wait_for(countries, redis.call('ZCARD', countries) - COUNTRIES - 1, DAY)
end
if not redis.call('ZSCORE', countries, country)
  and redis.call('ZCARD', countries) == COUNTRIES then
  -- One more stops the address, for all countries.
  add(countries, country, DAY)
  return wait_for(countries, 0, DAY)
end

forget(to_number, HOUR)
local sends = redis.call('ZCARD', to_number)
if sends >= IN_HOUR then return wait_for(to_number, sends - IN_HOUR, HOUR) end
if sends > 0 then
  local wait = wait_for(to_number, sends - 1, MINUTE)
  if wait > 1 then return wait end
end

if new then
  for _, key in ipairs({of_address, of_account}) do
    forget(key, DAY)
    if not redis.call('ZSCORE', key, number) and redis.call('ZCARD', key) >= NUMBERS then
      return wait_for(key, redis.call('ZCARD', key) - NUMBERS, DAY)
    end
  end
end

-- Sends by their time; a verified one ends in "+".
forget(to_country, WEEK)
local entries = redis.call('ZREVRANGE', to_country, 0, -1, 'WITHSCORES')
local pending, counted, verified = 0, 0, 0
for i = 1, #entries, 2 do
  local typed_in = string.sub(entries[i], -1) == '+'
  if not typed_in and tonumber(entries[i + 1]) > now - GRACE then
    pending = pending + 1
  elseif counted == WINDOW then
    redis.call('ZREM', to_country, entries[i])
  else
    counted = counted + 1
    if typed_in then verified = verified + 1 end
  end
end
if counted == WINDOW and verified < LEAST then
  redis.call('SET', stopped, string.format('%.0f', now + DAY), 'PX', DAY)
  redis.call('DEL', to_country)
  return STOPS
end
if pending >= PENDING then return GRACE end

add(to_number, send, HOUR)
add(countries, country, DAY)
add(to_country, send, WEEK)
if new then
  add(of_address, number, DAY)
  add(of_account, number, DAY)
end
return 0
"""

_VERIFY = """
-- KEYS: the sends to a country. ARGV: the send whose code was typed in.
local at = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not at then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], at, ARGV[1] .. '+')
return 1
"""
_STOPS, _STOPPED = -2, -1


@dataclass(frozen=True, slots=True)
class SmsSend:
    """A text message that was charged.

    Attributes:
        id: of the send.
        country: where it goes.
    """

    id: UUID
    country: str


class SmsBudgets:
    """The budgets of numbers, client addresses, accounts and countries.

    A number gets one a minute and 5 an hour. An account, and a client address, can have codes
    sent to 3 new numbers a day; who has codes sent to more than 5 countries from one address
    within a day is stopped. A country is stopped for a day if fewer than 10 of the last 50
    codes were typed in.
    """

    def __init__(
        self, redis: Redis, secrets: Secrets, clock: Clock, countries: Iterable[str]
    ) -> None:
        self._charge = ScriptRunner(redis, _CHARGE)
        self._verify = ScriptRunner(redis, _VERIFY)
        self._secrets = secrets
        self._clock = clock
        # The labels are there from the start: a rate of what has never been counted is no rate.
        for country in countries:
            STOPPED.labels(country)
            for outcome in OUTCOMES:
                CODES.labels(country, outcome)

    async def charge(
        self, send: SmsSend, number: PhoneNumber, account_id: UUID, call: Call, *, new: bool
    ) -> None:
        """Charges one text message, or says why there can be none.

        Args:
            account_id: who asks for it.
            new: whether the number is not yet the account's.

        Raises:
            RateLimitExceededError: if a budget is used up.
            SmsStoppedError: if the country is stopped; keeps what the call has written.
            UnavailableError: if nobody can say: what is not counted is not sent.
        """
        hashed = self._hash(f"number {number.e164}")
        client = self._hash(f"client {subscriber(call.client.address)}")
        account = self._hash(f"account {account_id}")
        keys = (
            b"sms:number:" + hashed,
            b"sms:numbers:" + client,
            b"sms:numbers:" + account,
            b"sms:countries:" + client,
            _country_key(number.country),
            f"sms:stopped:{number.country}".encode(),
        )
        now = milliseconds(self._clock())
        try:
            outcome = await self._charge(
                keys, now, send.id.bytes.hex(), hashed, number.country, int(new)
            )
        except ERRORS as error:
            UNAVAILABLE.inc()
            raise UnavailableError from error
        CODES.labels(number.country, SENT if outcome == 0 else REFUSED).inc()
        if outcome == _STOPS:
            self._report(number.country, call)
        if outcome in (_STOPS, _STOPPED):
            raise SmsStoppedError(country=number.country)
        if outcome:
            raise RateLimitExceededError(retry_after=timedelta(milliseconds=outcome))

    async def verified(self, send: SmsSend) -> None:
        """Notes that a code was typed in; without Valkey it counts as one that was not."""
        CODES.labels(send.country, VERIFIED).inc()
        try:
            await self._verify([_country_key(send.country)], send.id.bytes.hex())
        except ERRORS:
            log.warning("sms_verification_not_counted")

    def _report(self, country: str, call: Call) -> None:
        """Tells the operator: an alert watches the counter, and the audit log keeps it."""
        STOPPED.labels(country).inc()
        log.error("sms_stopped", country=country, consequence="no codes go there for a day")
        call.record("sms.country_stopped", details={"country": country})

    def _hash(self, text: str) -> bytes:
        return self._secrets.mac(PURPOSE, text)[:HASH_BYTES]


def _country_key(country: str) -> bytes:
    return f"sms:country:{country}".encode()
