"""A connection to one Valkey that runs calls of scripts, several in one round trip.

Made, secured and signed in by redis-py; past its command layer, which takes longer
than the rest of a round trip.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis import ConnectionPool, RedisError
from redis.exceptions import NoScriptError, ResponseError

from edge.ratelimit.resp import Call


class Link:
    """Not for several threads."""

    def __init__(self, pool: ConnectionPool) -> None:
        """Takes whose connections it may use; it connects when it is first used."""
        self._pool = pool
        self._connection: Any = pool.make_connection()

    def run(self, calls: Sequence[Call]) -> list[Any]:
        """The answer to each call.

        Nothing is sent twice unless Valkey has said that it did not run it: a call
        whose answer was lost may have charged somebody.

        Raises:
            redis.RedisError: if Valkey does not answer, or refuses a call.
        """
        self.send(calls)
        return self.receive(calls)

    def send(self, calls: Sequence[Call]) -> None:
        """Sends calls, on a new connection if the old one was lost meanwhile."""
        self._check()
        self._connection.send_packed_command(
            [b"".join([call.by_digest for call in calls])], check_health=False
        )

    def receive(self, calls: Sequence[Call]) -> list[Any]:
        """The answers to the calls that were sent."""
        answers = [self._read() for _ in calls]
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            self._connection.send_packed_command(
                [calls[n].by_source for n in unknown], check_health=False
            )
            for n in unknown:
                answers[n] = self._read()
        for answer in answers:
            if isinstance(answer, RedisError):
                raise answer
        return answers

    def close(self) -> None:
        """Ends the connection and those of its pool."""
        self._connection.disconnect()
        self._pool.disconnect()

    def _read(self) -> Any:
        """An answer, which may be an error: the answers behind it have to be read all the same."""
        try:
            return self._connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return error

    def _check(self) -> None:
        """Notices a connection that was closed, and one that answers what nobody has asked."""
        with suppress(RedisError, OSError):
            if not self._connection.can_read(0):
                return
        self._connection.disconnect()
        self._connection.connect()
