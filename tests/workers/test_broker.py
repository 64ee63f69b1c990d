"""Promises about what Celery leaves in the database that it shares with others."""

from __future__ import annotations

from redis import Redis

from portico_kit.tasks.names import EVENT_TASK
from portico_kit.tasks.notifier import KEY_PREFIX, celery_client


async def test_celery_keeps_to_its_prefix_and_to_the_database_of_the_address(
    valkey_url: str,
) -> None:
    url = f"{valkey_url}?db=7"
    with Redis.from_url(url, decode_responses=True) as chosen, Redis.from_url(valkey_url) as other:
        before = other.dbsize()
        celery_client(url).send_task(EVENT_TASK, retry=False)
        keys = list(chosen.scan_iter())
        assert keys
        assert all(key.startswith(KEY_PREFIX) for key in keys)
        assert other.dbsize() == before
        chosen.flushdb()
