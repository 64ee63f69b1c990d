"""A connection to one Valkey that runs calls of scripts, several in one round trip.

Made, secured and signed in by redis-py; past its command layer, which takes longer
than the rest of a round trip.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from redis import ConnectionPool, RedisError
from redis.exceptions import NoScriptError, ResponseError

from edge.ratelimit.resp import ASKING, Call

Answers = list[Any]


class Runner(Protocol):
    """Runs calls of scripts."""

    def run(self, calls: Sequence[Call]) -> Answers:
        """The answer to each call, or the error (a RedisError or an OSError) in its place.

        Nothing is sent twice unless Valkey has said that it did not run it: a call
        whose answer was lost may have charged somebody.
        """

    def close(self) -> None:
        """Ends all connections."""


class Link:
    """Runs calls on one Valkey. Not for several threads."""

    def __init__(self, pool: ConnectionPool) -> None:
        """Takes whose connections it may use; it connects when it is first used."""
        self._pool = pool
        self._connection: Any = pool.make_connection()

    def run(self, calls: Sequence[Call]) -> Answers:
        """The answers of this Valkey."""
        try:
            self.send(calls)
            return self.receive(calls)
        except (RedisError, OSError) as error:
            return [error] * len(calls)

    def send(self, calls: Sequence[Call], asking: bool = False) -> None:
        """Sends calls, on a new connection if the old one was lost meanwhile.

        Args:
            asking: for a slot of a cluster that is on its way to this Valkey.
        """
        self._check()
        self._write([call.by_digest for call in calls], asking)

    def receive(self, calls: Sequence[Call], asking: bool = False) -> Answers:
        """The answers to the calls that were sent, errors of Valkey among them."""
        answers = self._read(calls, asking)
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            again = [calls[n] for n in unknown]
            self._write([call.by_source for call in again], asking)
            for n, answer in zip(unknown, self._read(again, asking), strict=True):
                answers[n] = answer
        return answers

    def close(self) -> None:
        """Ends the connection and those of its pool."""
        self._connection.disconnect()
        self._pool.disconnect()

    def _write(self, commands: Sequence[bytes], asking: bool) -> None:
        if asking:
            commands = [ASKING + command for command in commands]
        self._connection.send_packed_command([b"".join(commands)], check_health=False)

    def _read(self, calls: Sequence[Call], asking: bool) -> Answers:
        answers = []
        for _ in calls:
            if asking:
                self._read_one()
            answers.append(self._read_one())
        return answers

    def _read_one(self) -> Any:
        """An answer, which may be an error: the answers behind it have to be read all the same."""
        try:
            return self._connection.read_response(disable_decoding=True, disconnect_on_error=False)
        except ResponseError as error:
            return error
        except (RedisError, OSError):
            self._connection.disconnect()
            raise

    def _check(self) -> None:
        """Notices a connection that was closed, and one that answers what nobody has asked."""
        with suppress(RedisError, OSError):
            if not self._connection.can_read(0):
                return
        self._connection.disconnect()
        self._connection.connect()
