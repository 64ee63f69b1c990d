"""`portico relay status`: what each bus of this platform has, by the word of the database."""

from __future__ import annotations

from dataclasses import dataclass

from server.features.relay.event_log import EventLog, Wanted, connect

_RELAYS = "select name from relays order by name"


@dataclass(frozen=True, slots=True)
class BusStatus:
    """What the database says of a bus.

    Attributes:
        line: in words.
        relayed: whether there is a process that relays to it.
    """

    line: str
    relayed: bool


async def status(database_url: str, wanted: Wanted) -> list[BusStatus]:
    """How it stands with each bus that events were ever relayed to.

    Raises:
        psycopg.Error: if the database does not answer.
    """
    connection = await connect(database_url)
    try:
        names = [row["name"] for row in await (await connection.execute(_RELAYS)).fetchall()]
        return [await _status(EventLog(connection, name, wanted)) for name in names]
    finally:
        await connection.close()


async def _status(events: EventLog) -> BusStatus:
    lag, holder = await events.lag(), await events.holder()
    where = f"relayed from {holder}" if holder else "nobody relays"
    waiting = (
        f"{lag.events} events of {lag.organizations} organizations wait, "
        f"the oldest for {lag.seconds:.0f} s"
    )
    says = waiting if lag.events else "nothing waits"
    return BusStatus(f"{events.relay}: {where}, {says}", holder is not None)
