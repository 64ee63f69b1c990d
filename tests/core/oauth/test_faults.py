"""A database that goes in the middle: no code and no token is good twice, and none is lost.

What is lost is lost before the client was told of it, or is given once more to who asks again.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from portico_kit.dpop import check_proof
from portico_kit.errors import UnavailableError
from portico_kit.ids import new_id
from portico_kit.storage.statements import run_in
from server.features.oauth.codes import PURPOSE
from server.features.oauth.proofs import UsedProofs
from server.features.oauth.pushed import REQUEST_URI_PREFIX, PushedRequests
from server.features.oauth.repository import EXCHANGE
from server.features.oauth.requests import AuthorizationRequest, SealedRequests
from tests.core.applications.conftest import ISSUER
from tests.core.conftest import Refused
from tests.core.oauth.conftest import CHALLENGE, App, list_grants
from tests.core.world import Person, World
from tests.support.proofs import ProofKey

INVALID = grpc.StatusCode.INVALID_ARGUMENT


async def end_connections(world: World) -> None:
    """Ends every other connection to the database, as a server that restarts does."""
    statement = text(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    async with world.engine.connect() as db:
        await db.execute(statement)


async def test_a_code_that_is_sent_again_by_the_same_call_is_one_use(
    world: World, owner: Person, app: App
) -> None:
    """The statement is sent once more if the connection ends under it; nobody knows if it ran."""
    values = {
        "code_hash": world.secrets.mac(PURPOSE, await app.code(owner)),
        "code_challenge": CHALLENGE,
        "redirect_uri": app.redirect_uri,
        "dpop_jkt": "",
        "application_id": UUID(app.client_id),
        "now": world.clock(),
        "idle_end": world.clock() + timedelta(days=1),
    }
    first, other = new_id(), new_id()
    async with AsyncSession(world.engine) as db, db.begin():
        [once] = await run_in(db, EXCHANGE, attempt=first, **values)
        [again] = await run_in(db, EXCHANGE, attempt=first, **values)
        assert tuple(once) == tuple(again)
        assert not await run_in(db, EXCHANGE, attempt=other, **values)


async def test_a_flow_goes_on_after_every_connection_was_lost(
    world: World, owner: Person, app: App, refused: Refused
) -> None:
    """Between each two steps."""
    request_id = await app.request_id()
    await end_connections(world)
    code = (await app.approve(owner, request_id))["code"]
    await end_connections(world)
    issued = await app.exchange(code)
    await end_connections(world)
    second = await app.refresh(issued.refresh_token)
    await end_connections(world)
    assert (await app.refresh(issued.refresh_token)).refresh_token == second.refresh_token
    await end_connections(world)
    assert await app.is_active(second.access_token)
    await end_connections(world)
    await refused(app.exchange(code), INVALID, "OAUTH_INVALID_GRANT")
    assert not await app.is_active(second.access_token)
    assert len(await list_grants(world, owner)) == 1


@pytest.mark.parametrize("round_", range(3))
async def test_codes_that_are_used_while_connections_are_lost_are_good_once(
    world: World, owner: Person, app: App, round_: int
) -> None:
    codes = [await app.code(owner) for _ in range(6)]

    async def use_twice(code: str) -> int:
        """How many of two who use a code got tokens."""
        answers = await asyncio.gather(
            app.exchange(code), app.exchange(code), return_exceptions=True
        )
        return sum(not isinstance(answer, BaseException) for answer in answers)

    found, _ = await asyncio.gather(asyncio.gather(*map(use_twice, codes)), end_connections(world))
    assert max(found) <= 1


async def test_a_refresh_token_survives_connections_that_are_lost(
    world: World, owner: Person, app: App
) -> None:
    token = (await app.signed_in(owner)).refresh_token
    for _ in range(4):
        answers, _ = await asyncio.gather(
            asyncio.gather(*(app.refresh(token) for _ in range(4)), return_exceptions=True),
            end_connections(world),
        )
        given = {each.refresh_token for each in answers if not isinstance(each, BaseException)}
        assert len(given) <= 1
        token = (await app.refresh(token)).refresh_token


async def test_without_valkey_no_proof_and_no_pushed_request_is_taken(world: World) -> None:
    """Nobody can say that it is the first use. What comes without either does not ask."""
    away = Redis(host="127.0.0.1", port=1)
    key = ProofKey()
    proof = check_proof(key.proof("POST", ISSUER), method="POST", url=ISSUER, now=datetime.now(UTC))
    with pytest.raises(UnavailableError):
        await UsedProofs(away).use(proof)
    pushed = PushedRequests(away, world.secrets, SealedRequests(world.secrets))
    with pytest.raises(UnavailableError):
        await pushed.find("a client", f"{REQUEST_URI_PREFIX}x", world.clock())
    request = AuthorizationRequest("a request", 0.0, "a client", ISSUER, "query", (), "x")
    with pytest.raises(UnavailableError):
        await pushed.decide(request, new_id())
    await away.aclose()
