"""Executes scripts on a cluster of Valkeys: each command goes to the node that has its slot.

The commands for all nodes are sent before the first answer is read, so a batch takes as
long as its slowest node. A node that is away fails only its own callers. redis-py's
cluster pipeline promises neither, and sends a command whose answer was lost again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import AskError, MovedError
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import TimeoutError as NoAnswerError

from edge.ratelimit.connection import ERRORS, Answers, ScriptCommand, ScriptConnection
from edge.valkey import pool

SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}

LOST = (LostConnectionError, NoAnswerError, OSError)

# The longest wait for a node that describes the cluster, which is rare.
SLOTS_TIMEOUT_SECONDS = 1.0
# The shortest time between two descriptions.
REFRESH_SECONDS = 0.5


class Node(NamedTuple):
    """The address of a node."""

    host: str
    port: int


class ClusterExecutor:
    """Executes scripts on the nodes of a cluster. Not for several threads."""

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """Takes the address of one node, which names the others at the first use.

        Args:
            url: redis+cluster://host:port, or rediss+cluster:// with TLS.
            timeout_seconds: the longest wait for a connection, and for an answer.
        """
        self._url, self._timeout_seconds = urlsplit(url), timeout_seconds
        self._first = Node(self._url.hostname or "localhost", self._url.port or 6379)
        self._connections: dict[Node, ScriptConnection] = {}
        self._slots: dict[range, Node] = {}
        self._refresh_at = 0.0

    def execute(self, commands: Sequence[ScriptCommand]) -> Answers:
        """The answers of the nodes, those after a redirection among them."""
        if not self._slots:
            self._refresh()
        answers: Answers = [None] * len(commands)
        self._execute(commands, answers, range(len(commands)))
        self._follow_moved(commands, answers)
        self._follow_ask(commands, answers)
        if any(isinstance(answer, LOST) for answer in answers):
            self._refresh()  # a replica may have been promoted
        return answers

    def close(self) -> None:
        """Closes all connections."""
        for connection in self._connections.values():
            connection.close()

    def _execute(
        self, commands: Sequence[ScriptCommand], answers: Answers, numbers: Iterable[int]
    ) -> None:
        """Executes some of the commands on the nodes that have their slots."""
        sent = []
        for node, theirs in self._by_node(commands, numbers).items():
            batch = [commands[number] for number in theirs]
            try:
                connection = self._connection(node)
                connection.send(batch)
            except ERRORS as error:
                _fill(answers, theirs, [error] * len(theirs))
            else:
                sent.append((connection, batch, theirs))
        for connection, batch, theirs in sent:
            try:
                _fill(answers, theirs, connection.receive(batch))
            except ERRORS as error:
                _fill(answers, theirs, [error] * len(theirs))

    def _by_node(
        self, commands: Sequence[ScriptCommand], numbers: Iterable[int]
    ) -> dict[Node | None, list[int]]:
        found: dict[Node | None, list[int]] = {}
        for number in numbers:
            found.setdefault(self._node(commands[number].slot), []).append(number)
        return found

    def _follow_moved(self, commands: Sequence[ScriptCommand], answers: Answers) -> None:
        """Executes what belongs to another node by now: it was not executed yet."""
        moved = [n for n, answer in enumerate(answers) if isinstance(answer, MovedError)]
        if moved:
            self._refresh_at = 0.0
            self._refresh()
            self._execute(commands, answers, moved)

    def _follow_ask(self, commands: Sequence[ScriptCommand], answers: Answers) -> None:
        """Executes what belongs to a slot that is being moved, each on its new node."""
        for number, answer in enumerate(answers):
            if isinstance(answer, AskError):
                node = Node(answer.host, answer.port)
                answers[number] = self._ask(node, commands[number])

    def _ask(self, node: Node, command: ScriptCommand) -> Any:
        try:
            connection = self._connection(node)
            connection.send([command], asking=True)
            (answer,) = connection.receive([command], asking=True)
        except ERRORS as error:
            return error
        return answer

    def _node(self, slot: int) -> Node | None:
        return next((node for slots, node in self._slots.items() if slot in slots), None)

    def _connection(self, node: Node | None) -> ScriptConnection:
        if node is None:
            raise LostConnectionError("no node of the cluster has the slot")
        if node not in self._connections:
            made = ScriptConnection(pool(self._address(node), self._timeout_seconds))
            self._connections[node] = made
        return self._connections[node]

    def _refresh(self) -> None:
        """Reads again which node has which slots; if none answers, what was known is kept."""
        if time.monotonic() < self._refresh_at:
            return
        self._refresh_at = time.monotonic() + REFRESH_SECONDS
        for node in {*self._connections, self._first}:
            try:
                self._slots = self._read_slots(node)
            except ERRORS:
                continue
            for gone in set(self._connections) - set(self._slots.values()):
                self._connections.pop(gone).close()
            return

    def _read_slots(self, node: Node) -> dict[range, Node]:
        """https://valkey.io/commands/cluster-slots/: the primary of each range is named first."""
        with closing(pool(self._address(node), SLOTS_TIMEOUT_SECONDS)) as connections:
            client: Any = Redis(connection_pool=connections)
            found = client.execute_command("CLUSTER SLOTS")
        return {
            range(first, last + 1): Node(host.decode() if host else node.host, port)
            for first, last, (host, port, *_), *_ in found
        }

    def _address(self, node: Node) -> str:
        """The node's URL, with the same user and options as the first one's."""
        credentials, at, _ = self._url.netloc.rpartition("@")
        host = f"[{node.host}]" if ":" in node.host else node.host
        netloc = f"{credentials}{at}{host}:{node.port}"
        return self._url._replace(scheme=SCHEMES[self._url.scheme], netloc=netloc).geturl()


def _fill(answers: Answers, numbers: Sequence[int], found: Sequence[Any]) -> None:
    for number, answer in zip(numbers, found, strict=True):
        answers[number] = answer
