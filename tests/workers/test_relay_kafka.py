"""Promises about the relay to Kafka, with a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from cli.run.watchdog import Watchdog
from server.features.relay.kafka import KafkaBus, KafkaSecurity
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from tests.java import requires_java
from tests.workers.harness import Tenants
from tests.workers.kafka import PASSWORD, USER, Kafka, by_organization
from tests.workers.relays import SOURCE, add, relaying

pytestmark = requires_java

MAX_BYTES = 1_000_000
AWAY_SECONDS = 1.0


@pytest.fixture(scope="module")
async def kafka(
    tmp_path_factory: pytest.TempPathFactory, watchdog: Watchdog
) -> AsyncIterator[Kafka]:
    """A broker."""
    broker = Kafka(tmp_path_factory.mktemp("kafka"), watchdog)
    await broker.prepare()
    await broker.start()
    yield broker
    await broker.kill()


def bus_of(kafka: Kafka, topic: str, max_bytes: int = MAX_BYTES) -> KafkaBus:
    return KafkaBus(kafka.servers, topic, SOURCE, KafkaSecurity(), max_bytes)


async def test_an_event_is_a_cloud_event_in_the_partition_of_its_organization(
    kafka: Kafka, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organizations = [await tenants.organization() for _ in range(5)]
    first = await tenants.event(organizations[0])
    for organization_id in organizations:
        await add(tenants, organization_id, 20)
    await fan_out_events()
    topic = await kafka.topic()
    async with relaying(database_url, bus_of(kafka, topic)):
        messages = await kafka.messages(topic, 101)
    assert len(messages) == 101
    (message,) = [each for each in messages if each.id == str(first)]
    event = await tenants.find_event(first)
    assert message.key == str(organizations[0])
    assert message.headers == {
        "ce_specversion": "1.0",
        "ce_id": str(first),
        "ce_source": SOURCE,
        "ce_type": "key.created",
        "ce_time": event.created_at.isoformat().replace("+00:00", "Z"),
        "ce_organizationid": str(organizations[0]),
        "ce_sequence": "0000000000000000001",
        "content-type": "application/json",
    }
    assert json.loads(message.value) == event.data
    assert "Schlüssel" in message.value
    told = by_organization(messages)
    assert told[str(organizations[0])] == list(range(1, 22))
    for key in map(str, organizations[1:]):
        assert told[key] == list(range(1, 21))
        assert len({each.partition for each in messages if each.key == key}) == 1


async def test_a_broker_that_is_killed_loses_nothing_and_keeps_the_order(
    kafka: Kafka, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organizations = [await tenants.organization() for _ in range(3)]
    topic = await kafka.topic()
    async with relaying(database_url, bus_of(kafka, topic)):
        for part in range(3):
            writing = [add(tenants, organization_id, 40) for organization_id in organizations]
            await asyncio.gather(*writing)
            await fan_out_events()
            if part == 0:
                await kafka.messages(topic, 1)
                await kafka.kill()
            if part == 1:
                await asyncio.sleep(AWAY_SECONDS)
                await kafka.start()
        messages = await kafka.messages(topic, 360, 60)
    expected = {str(each): list(range(1, 121)) for each in organizations}
    assert by_organization(messages) == expected


async def test_a_broker_that_asks_who_we_are_is_spoken_to_with_tls(
    kafka: Kafka, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    organization_id = await tenants.organization()
    await add(tenants, organization_id, 2)
    await fan_out_events()
    topic = await kafka.topic()
    security = KafkaSecurity(kafka.tls, USER, PASSWORD)
    bus = KafkaBus(kafka.secure_servers, topic, SOURCE, security, MAX_BYTES)
    async with relaying(database_url, bus):
        messages = await kafka.messages(topic, 2)
    assert by_organization(messages) == {str(organization_id): [1, 2]}


async def test_more_than_a_batch_holds_comes_in_several(
    kafka: Kafka, database_url: str, tenants: Tenants, fan_out_events: EventFanOut
) -> None:
    """And what is larger than any batch is left out, so that the rest need not wait forever."""
    organization_id = await tenants.organization()
    await add(tenants, organization_id, 30, size=5_000)
    await add(tenants, organization_id, 1, size=50_000)
    await add(tenants, organization_id, 30, size=5_000)
    await fan_out_events()
    topic = await kafka.topic(**{"max.message.bytes": "20000"})
    async with relaying(database_url, bus_of(kafka, topic, max_bytes=20_000)):
        messages = await kafka.messages(topic, 60)
    told = by_organization(messages)[str(organization_id)]
    assert told == [*range(1, 31), *range(32, 62)]
