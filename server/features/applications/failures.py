"""How often a client may fail to authenticate: counted in Valkey, for all processes together.

What clients present is random and long: it is not guessed. So whoever presents the right thing
is never refused, and nobody can lock a client out by presenting wrong ones in its name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

import structlog
from redis.asyncio import Redis

from portico_kit.secrets import Secrets
from server.common.scripts import ERRORS, ScriptRunner
from server.features.applications.errors import InvalidClientError, TooManyClientFailuresError

PURPOSE = "client-failures"
HASH_BYTES = 16
WINDOW = timedelta(minutes=1)
MOST = 20

log = structlog.get_logger("applications")

_SCRIPT = """
-- KEYS: the counter. ARGV: how many are allowed, the length of the window in milliseconds.
-- Returns 0, or the milliseconds until the window ends if there were too many.
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if count <= tonumber(ARGV[1]) then return 0 end
return math.max(1, redis.call('PTTL', KEYS[1]))
"""


class ClientFailures:
    """Counts the failures of each client: 20 in a minute."""

    def __init__(self, redis: Redis, secrets: Secrets) -> None:
        self._run = ScriptRunner(redis, _SCRIPT)
        self._secrets = secrets

    async def failed(self, client_id: str, error: InvalidClientError) -> NoReturn:
        """Counts a failure. Always raises.

        Args:
            client_id: as it was presented; there may be no such client.

        Raises:
            TooManyClientFailuresError: if there were too many.
            InvalidClientError: the error, else.
        """
        name = b"client-failures:" + self._secrets.mac(PURPOSE, ascii(client_id))[:HASH_BYTES]
        try:
            wait = await self._run([name], MOST, int(WINDOW.total_seconds() * 1000))
        except ERRORS:
            # Nothing can be guessed; it is refused all the same.
            log.warning("failure_not_counted")
            raise error from None
        if wait:
            raise TooManyClientFailuresError(retry_after=timedelta(milliseconds=wait))
        raise error
