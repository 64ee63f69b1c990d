"""Callers for the limiter's measurements: what is asked about them, and their counts in Valkey."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator

import redis
from envoy.extensions.common.ratelimit.v3.ratelimit_pb2 import RateLimitDescriptor
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest

from edge.ratelimit.connection import ScriptConnection
from edge.ratelimit.counters import Counters
from edge.ratelimit.service import Failure, RateLimitService
from edge.valkey import pool
from portico_kit.clock import utc_now

HELD_AT_ONCE = 1000
FEW = 10_000
PATIENT = 10.0  # seconds


def caller(number: int) -> bytes:
    """A read of a caller on the highest tier, as the gateway asks about it."""
    subject = f"01980d1c-7a5b-7c3e-9f00-{number:012x}"
    entries = {"subject": subject, "tier": "enterprise", "category": "read"}
    descriptor = RateLimitDescriptor(
        entries=[RateLimitDescriptor.Entry(key=key, value=value) for key, value in entries.items()]
    )
    message = RateLimitRequest(domain="portico", descriptors=[descriptor])
    serialized: bytes = message.SerializeToString()
    return serialized


def in_random_order(requests: int, subjects: int) -> Iterator[bytes]:
    """So many requests of some out of so many callers."""
    chance = random.Random(7)  # noqa: S311
    for _ in range(requests):
        yield caller(chance.randrange(subjects))


def hold(valkey: redis.Redis, url: str, subjects: int) -> int:
    """Has each caller ask once, in large batches, so that all are counted at the same time.

    Returns:
        The bytes that Valkey needs for each of them, all of its tables included; 0 for so
        few that they do not stand out from what it needs anyway.
    """
    before = int(valkey.info("memory")["used_memory"])
    connection = ScriptConnection(pool(url, PATIENT))
    service = RateLimitService(Counters(connection), utc_now)
    for numbers in _batches(range(subjects)):
        answers = service.answer([caller(number) for number in numbers])
        if any(isinstance(answer, Failure) for answer in answers):
            raise RuntimeError("a caller could not be counted")
    connection.close()
    used = int(valkey.info("memory")["used_memory"]) - before
    return used // subjects if subjects >= FEW else 0


def _batches(numbers: Iterable[int]) -> Iterator[list[int]]:
    left = iter(numbers)
    while batch := list(itertools.islice(left, HELD_AT_ONCE)):
        yield batch
