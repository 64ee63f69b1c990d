"""PostgreSQL is restarted, full, or only reads: a clear answer, and none fails once it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import grpc
import psycopg
import pytest
from portico.auth.v1 import auth_service_pb2 as auth
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.users.v1 import user_service_pb2 as users
from psycopg import sql

from portico_kit.testing.waiting import eventually
from tests.core.conftest import Refused
from tests.core.world import INTERNAL_TOKEN, Person, World, bearer

AT_ONCE = 24


@contextmanager
def administrator(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection beside those of the core."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def end_connections(database_url: str) -> int:
    """Ends every connection of the core, as a restart does; gives how many."""
    query = """
        SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid != pg_backend_pid()
    """
    with administrator(database_url) as connection:
        row = connection.execute(query).fetchone()
    return int(str(row[0])) if row else 0


@contextmanager
def read_only(database_url: str) -> Iterator[None]:
    """A database that refuses writes, as a standby does after a fail-over."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    change = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")

    def refuse_writes(value: str) -> None:
        with administrator(database_url) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(change.format(sql.Identifier(str(name)), sql.Literal(value)))

    refuse_writes("on")
    try:
        end_connections(database_url)
        yield
    finally:
        refuse_writes("off")


async def read(world: World, person: Person) -> None:
    """A read past the session: it shares its query with all who ask now."""
    await world.users.GetMe(users.GetMeRequest(), metadata=person.metadata)


async def list_sessions(world: World, person: Person) -> None:
    """A read through a session."""
    await world.auth.ListSessions(auth.ListSessionsRequest(), metadata=person.metadata)


async def write(world: World, person: Person) -> None:
    request = users.UpdateMeRequest(bio="changed")
    await world.users.UpdateMe(request, metadata=person.metadata)


async def verify_key(world: World, secret: str) -> None:
    request = keys.BatchVerifyApiKeysRequest(secrets=[secret])
    answer = await world.keys.BatchVerifyApiKeys(request, metadata=bearer(INTERNAL_TOKEN))
    assert answer.verifications[0].HasField("verified")


async def refresh(world: World, token: str) -> str:
    """A write past the session."""
    answer = await world.auth.RefreshToken(auth.RefreshTokenRequest(refresh_token=token))
    return answer.refresh_token


@contextmanager
def locked_sessions(database_url: str, person: Person) -> Iterator[None]:
    """Somebody holds the rows of a person's sessions."""
    with psycopg.connect(database_url) as connection:
        query = "select id from sessions where user_id = %s for update"
        connection.execute(query, (person.id,))
        yield


async def until_one_waits_for_a_lock(database_url: str) -> int:
    """The process of a connection that waits for a row."""
    waiting: list[tuple[object, ...]] = []
    query = """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'UPDATE%'
    """

    async def found() -> bool:
        waiting[:] = await (await connection.execute(query)).fetchall()
        return bool(waiting)

    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await eventually(found)
    return int(str(waiting[0][0]))


@pytest.fixture
async def people(world: World) -> list[Person]:
    """Somebody for each call that changes its own row."""
    return [await world.new_person() for _ in range(6)]


async def test_connections_that_ended_while_they_were_idle_cost_no_call_anything(
    world: World, owner: Person, organization_id: str, people: list[Person], database_url: str
) -> None:
    secret = (await world.new_key(organization_id, owner)).secret

    async def all_kinds() -> None:
        calls = [read(world, owner) for _ in range(AT_ONCE)]
        calls += [list_sessions(world, owner) for _ in range(AT_ONCE)]
        calls += [verify_key(world, secret) for _ in range(AT_ONCE)]
        calls += [write(world, person) for person in people]
        await asyncio.gather(*calls)

    await all_kinds()  # opens connections
    for _ in range(3):
        assert end_connections(database_url) > 0
        await all_kinds()


async def test_one_connection_after_another_may_end_however_much_later(
    world: World, owner: Person, people: list[Person], database_url: str
) -> None:
    await asyncio.gather(*(read(world, owner) for _ in range(AT_ONCE)))
    end_connections(database_url)
    for person in people:
        await read(world, owner)
        await write(world, person)
        await asyncio.sleep(0.05)
    end_connections(database_url)
    for person in people:
        await write(world, person)
        await read(world, owner)


async def test_reads_under_way_are_asked_again_when_their_connection_ends(
    world: World, owner: Person, database_url: str
) -> None:
    failures: list[BaseException] = []
    answered = asyncio.Event()

    async def keep_reading() -> None:
        for _ in range(60):
            try:
                await asyncio.gather(*(read(world, owner) for _ in range(8)))
            except grpc.aio.AioRpcError as error:
                failures.append(error)
            answered.set()

    reading = asyncio.create_task(keep_reading())
    while not reading.done():
        await asyncio.to_thread(end_connections, database_url)
        # A read is asked once more, not twice: each of those under way loses one connection.
        answered.clear()
        await asyncio.wait(
            (reading, wait := asyncio.create_task(answered.wait())),
            return_when=asyncio.FIRST_COMPLETED,
        )
        wait.cancel()
    await reading
    assert not failures


async def test_a_database_that_only_reads_refuses_writes_as_unavailable_and_recovers(
    world: World, owner: Person, database_url: str, refused: Refused
) -> None:
    with read_only(database_url):
        await read(world, owner)
        await list_sessions(world, owner)
        for _ in range(3):
            call = world.users.UpdateMe(users.UpdateMeRequest(bio="b"), metadata=owner.metadata)
            found = await refused(call, grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
            assert (found.retry_after or 0) >= 1
            sent = auth.RefreshTokenRequest(refresh_token=owner.refresh_token)
            await refused(world.auth.RefreshToken(sent), grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    # Each write has let its connection go: it was to a server that only reads.
    await write(world, owner)
    await refresh(world, owner.refresh_token)


async def test_a_refresh_whose_connection_ends_under_it_is_answered(
    world: World, owner: Person, database_url: str
) -> None:
    with locked_sessions(database_url, owner):
        refreshing = asyncio.create_task(refresh(world, owner.refresh_token))
        waiting = await until_one_waits_for_a_lock(database_url)
        with administrator(database_url) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (waiting,))
        await until_one_waits_for_a_lock(database_url)
    successor = await refreshing
    assert await refresh(world, owner.refresh_token) == successor


async def test_refreshes_that_wait_for_a_row_keep_nobody_from_reading(
    world: World, owner: Person, people: list[Person], database_url: str
) -> None:
    """However many: a stranger who has a session of their own can make them wait."""
    with locked_sessions(database_url, owner):
        waiting = [asyncio.create_task(refresh(world, owner.refresh_token)) for _ in range(AT_ONCE)]
        await until_one_waits_for_a_lock(database_url)
        await asyncio.wait_for(asyncio.gather(*(read(world, each) for each in people)), 5)
        assert not any(each.done() for each in waiting)
    assert len(set(await asyncio.gather(*waiting))) == 1


async def test_without_a_connection_left_calls_are_unavailable_and_recover(
    world: World, owner: Person, database_url: str, refused: Refused
) -> None:
    await read(world, owner)
    taken: list[psycopg.Connection[tuple[object, ...]]] = []
    try:
        for _ in range(2):  # the second time takes what the core has let go
            with suppress(psycopg.OperationalError):
                while True:
                    taken.append(psycopg.connect(database_url, autocommit=True))
            if taken:
                ours = [connection.info.backend_pid for connection in taken]
                taken[0].execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend' AND NOT pid = ANY(%s)"
                    " AND datname = current_database()",
                    (ours,),
                )
        for call in (
            world.users.GetMe(users.GetMeRequest(), metadata=owner.metadata),
            world.users.UpdateMe(users.UpdateMeRequest(bio="b"), metadata=owner.metadata),
        ):
            found = await refused(call, grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
            assert (found.retry_after or 0) >= 1
    finally:
        for connection in taken:
            connection.close()
    await asyncio.sleep(0.2)  # until PostgreSQL has counted them out
    await read(world, owner)
    await write(world, owner)


async def test_a_database_that_takes_no_connections_is_unavailable(
    world: World, owner: Person, database_url: str, postgres_url: str, refused: Refused
) -> None:
    name = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]))
    with administrator(postgres_url) as connection:
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        connection.execute(allow.format(name, sql.Literal(False)))
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                (psycopg.conninfo.conninfo_to_dict(database_url)["dbname"],),
            )
            request = organizations.ListOrganizationsRequest()
            call = world.organizations.ListOrganizations(request, metadata=owner.metadata)
            await refused(call, grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
        finally:
            connection.execute(allow.format(name, sql.Literal(True)))
    await read(world, owner)
