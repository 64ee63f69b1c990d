"""A cluster of Valkeys: each call goes to the node that has its slot.

The calls for all nodes are on their way before the first answer is read, so a batch
takes as long as its slowest node. A node that is away takes only its own callers along.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from redis import Redis, RedisError
from redis.exceptions import AskError, MovedError
from redis.exceptions import ConnectionError as LostConnectionError
from redis.exceptions import TimeoutError as NoAnswerError

from edge.ratelimit.link import Answers, Link
from edge.ratelimit.resp import Call
from edge.valkey import pool

SCHEMES = {"redis+cluster": "redis", "rediss+cluster": "rediss"}

LOST = (LostConnectionError, NoAnswerError, OSError)

# How long a node may take to tell who has which slots, which is asked now and then.
MAP_SECONDS = 1.0
# How often that is asked at the most.
REFRESH_SECONDS = 0.5


class Node(NamedTuple):
    """Where a node listens."""

    host: str
    port: int


class ClusterLink:
    """Runs calls on the nodes of a cluster. Not for several threads."""

    def __init__(self, url: str, timeout: float) -> None:
        """Takes where one node is; the others are found by it when they are first needed.

        Args:
            url: redis+cluster://host:port, or rediss+cluster:// with TLS.
            timeout: seconds to wait for a connection, and for an answer.
        """
        self._url, self._timeout = urlsplit(url), timeout
        self._first = Node(self._url.hostname or "localhost", self._url.port or 6379)
        self._links: dict[Node, Link] = {}
        self._slots: dict[range, Node] = {}
        self._refresh_at = 0.0

    def run(self, calls: Sequence[Call]) -> Answers:
        """The answers of the nodes; those that have moved meanwhile are asked anew."""
        if not self._slots:
            self._refresh()
        answers: Answers = [None] * len(calls)
        self._ask(calls, answers, range(len(calls)))
        self._follow(calls, answers)
        if any(isinstance(answer, LOST) for answer in answers):
            self._refresh()  # another node may have taken over
        return answers

    def close(self) -> None:
        """Ends all connections."""
        for link in self._links.values():
            link.close()

    def _ask(self, calls: Sequence[Call], answers: Answers, numbers: Iterable[int]) -> None:
        """Asks the nodes that have the slots of some of the calls."""
        by_node: dict[Node | None, list[int]] = {}
        for number in numbers:
            by_node.setdefault(self._node(calls[number].slot), []).append(number)
        waiting = []
        for node, theirs in by_node.items():
            batch = [calls[number] for number in theirs]
            try:
                link = self._link(node)
                link.send(batch)
            except (RedisError, OSError) as error:
                _fill(answers, theirs, [error] * len(theirs))
            else:
                waiting.append((link, batch, theirs))
        for link, batch, theirs in waiting:
            try:
                _fill(answers, theirs, link.receive(batch))
            except (RedisError, OSError) as error:
                _fill(answers, theirs, [error] * len(theirs))

    def _follow(self, calls: Sequence[Call], answers: Answers) -> None:
        """Asks again where a slot has gone to, or is on its way to: it was not decided yet."""
        moved = [n for n, answer in enumerate(answers) if isinstance(answer, MovedError)]
        if moved:
            self._refresh_at = 0.0
            self._refresh()
            self._ask(calls, answers, moved)
        for number, answer in enumerate(answers):
            if isinstance(answer, AskError):
                link = self._link(Node(answer.host, answer.port))
                try:
                    link.send([calls[number]], asking=True)
                    (answers[number],) = link.receive([calls[number]], asking=True)
                except (RedisError, OSError) as error:
                    answers[number] = error

    def _node(self, slot: int) -> Node | None:
        return next((node for slots, node in self._slots.items() if slot in slots), None)

    def _link(self, node: Node | None) -> Link:
        if node is None:
            raise LostConnectionError("no node of the cluster has the slot")
        if node not in self._links:
            self._links[node] = Link(pool(self._address(node), self._timeout))
        return self._links[node]

    def _refresh(self) -> None:
        """Asks the nodes who has which slots; if none answers, what was known holds on."""
        if time.monotonic() < self._refresh_at:
            return
        self._refresh_at = time.monotonic() + REFRESH_SECONDS
        for node in {*self._links, self._first}:
            try:
                self._slots = self._read_slots(node)
            except (RedisError, OSError):
                continue
            gone = set(self._links) - set(self._slots.values())
            for each in gone:
                self._links.pop(each).close()
            return

    def _read_slots(self, node: Node) -> dict[range, Node]:
        """https://valkey.io/commands/cluster-slots/: of each stretch, the primary comes first."""
        with closing(pool(self._address(node), MAP_SECONDS)) as connections:
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
