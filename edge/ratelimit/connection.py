"""A connection to one Valkey that executes scripts, several in one round trip.

It is redis-py's own connection, with the commands serialized by hiredis. redis-py's client
is left out: that takes longer than the rest of a round trip (docs/decisions/0011-limiter.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha1
from typing import Any, NamedTuple, Protocol

from hiredis import pack_command
from redis import ConnectionPool, RedisError
from redis.exceptions import NoScriptError, ResponseError

# What stands for an answer that never came.
ERRORS = (RedisError, OSError)

Answers = list[Any]
Words = tuple[Any, ...]

# Lets the next command use a slot of a cluster that is being imported.
ASKING: Words = ("ASKING",)


class Script:
    """A Lua script, which Valkey caches under its SHA-1 digest when it has executed it once."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = sha1(source.encode(), usedforsecurity=False).hexdigest()


class ScriptCommand(NamedTuple):
    """A script with its keys and arguments.

    Attributes:
        slot: the hash slot of all keys on a cluster; 0 on a single server.
    """

    script: Script
    slot: int
    keys: Sequence[bytes]
    arguments: Sequence[bytes]

    @property
    def by_digest(self) -> Words:
        """The command for a Valkey that has cached the script."""
        return ("EVALSHA", self.script.digest, len(self.keys), *self.keys, *self.arguments)

    @property
    def by_source(self) -> Words:
        """The command for one that has not."""
        return ("EVAL", self.script.source, len(self.keys), *self.keys, *self.arguments)


class ScriptExecutor(Protocol):
    """Executes scripts."""

    def execute(self, commands: Sequence[ScriptCommand]) -> Answers:
        """The answer to each command, or the error (one of `ERRORS`) in its place.

        Nothing is sent twice unless Valkey has said that it did not execute it: a command
        whose answer was lost may have charged somebody.
        """

    def close(self) -> None:
        """Closes all connections."""


class ScriptConnection:
    """Executes scripts on one Valkey. Not for several threads."""

    def __init__(self, pool: ConnectionPool) -> None:
        """Takes the pool that makes its connection, which is opened when it is first used."""
        self._pool = pool
        self._connection: Any = pool.make_connection()

    def execute(self, commands: Sequence[ScriptCommand]) -> Answers:
        """The answers of this Valkey."""
        try:
            self.send(commands)
            return self.receive(commands)
        except ERRORS as error:
            return [error] * len(commands)

    def send(self, commands: Sequence[ScriptCommand], asking: bool = False) -> None:
        """Sends commands, on a new connection if the old one was lost meanwhile.

        Args:
            asking: whether the slot is being imported by this node of a cluster.
        """
        self._check()
        self._write((command.by_digest for command in commands), asking)

    def receive(self, commands: Sequence[ScriptCommand], asking: bool = False) -> Answers:
        """The answers to the commands that were sent, errors of Valkey among them."""
        answers = [self._read(asking) for _ in commands]
        unknown = [n for n, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            self._write((commands[n].by_source for n in unknown), asking)
            for n in unknown:
                answers[n] = self._read(asking)
        return answers

    def close(self) -> None:
        """Closes the connection and those of its pool."""
        self._connection.disconnect()
        self._pool.disconnect()

    def _write(self, commands: Iterable[Words], asking: bool) -> None:
        if asking:
            commands = (each for command in commands for each in (ASKING, command))
        packed = b"".join(map(pack_command, commands))
        self._connection.send_packed_command([packed], check_health=False)

    def _read(self, asking: bool) -> Any:
        if asking:
            self._read_one()
        return self._read_one()

    def _read_one(self) -> Any:
        """An answer, which may be an error: the answers behind it have to be read all the same."""
        try:
            return self._connection.read_response(disable_decoding=True, disconnect_on_error=False)
        except ResponseError as error:
            return error
        except ERRORS:
            self._connection.disconnect()
            raise

    def _check(self) -> None:
        """Opens the connection again if it was closed, or holds an answer that nobody reads."""
        with suppress(*ERRORS):
            if not self._connection.can_read(0):
                return
        self._connection.disconnect()
        self._connection.connect()
