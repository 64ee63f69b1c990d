"""The edge's copy of the organizations' limits: written after each change, and kept whole.

PostgreSQL holds the truth. The copy lies in Valkey, which may be away when a
limit changes, or lose everything; the core then writes it anew.
"""

from __future__ import annotations

from uuid import UUID
from zoneinfo import available_timezones

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.edge_state import limits as kit
from portico_kit.edge_state.projection import Projection
from portico_kit.errors import invalid
from portico_kit.storage.base import sessions
from server.features.organizations.models import OrganizationLimits
from server.features.organizations.repository import LimitsRepository

# An older version never takes the place of a newer one, whoever writes last.
STORE = """
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and cjson.decode(held).version >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return redis.call('PUBLISH', ARGV[4], ARGV[1])
"""


class LimitsProjection(Projection):
    """Writes limits to where the rate limit service reads them."""

    def __init__(self, engine: AsyncEngine, redis: Redis) -> None:
        super().__init__("limits")
        self._sessions = sessions(engine)
        self._redis = redis
        self._store = redis.register_script(STORE)

    async def write(self, row: OrganizationLimits) -> None:
        """Writes the limits of an organization; call it after the commit."""
        copied = kit.LimitsDocument(
            version=row.version,
            multiplier_percent=row.multiplier_percent,
            overrides=row.overrides,
            time_zone=row.time_zone,
            shadow=row.shadow,
            shadow_rules=row.shadow_rules,
        )
        name = str(row.organization_id)
        with self.mark_stale_on_error():
            await self._store(
                keys=[kit.LIMITS_HASH],
                args=[name, row.version, copied.json, kit.LIMITS_CHANNEL],
            )

    async def rebuild(self) -> None:
        """Writes the limits of all organizations."""
        async with self._sessions() as db:
            rows = await LimitsRepository(db).list_all()
        for row in rows:
            await self.write(row)
        await self._redis.hset(kit.LIMITS_HASH, kit.LIMITS_COMPLETE, "1")
        await self._redis.publish(kit.LIMITS_CHANNEL, kit.LIMITS_COMPLETE)

    async def is_complete(self) -> bool:
        """Whether Valkey still holds it."""
        return bool(await self._redis.hexists(kit.LIMITS_HASH, kit.LIMITS_COMPLETE))


def unlimited(organization_id: UUID) -> OrganizationLimits:
    """What holds for an organization that has no limits of its own: those of its tier."""
    return OrganizationLimits(
        organization_id=organization_id,
        multiplier_percent=100,
        overrides={},
        time_zone="UTC",
        shadow=False,
        shadow_rules=[],
        version=0,
    )


def known_time_zone(name: str) -> str:
    """The name, "UTC" if it is empty.

    Raises:
        InvalidRequestError: if there is no such zone.
    """
    zone = name or "UTC"
    if zone not in available_timezones():
        raise invalid("time_zone", "UNKNOWN_TIME_ZONE", "is not the IANA name of a time zone")
    return zone
