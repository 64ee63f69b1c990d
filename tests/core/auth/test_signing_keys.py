"""The keys that sign: made once, known before they sign, and retired after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from portico_kit.errors import UnauthenticatedError
from portico_kit.ids import new_id
from portico_kit.jwt import TokenIssuer, TokenVerifier
from portico_kit.secrets import Secrets
from portico_kit.storage.base import create_engine
from portico_kit.testing.clocks import FakeClock
from portico_kit.testing.waiting import eventually
from server.features.auth import signing_keys
from server.features.auth.authenticator import USER
from server.features.auth.signing_keys import SealedOtherwiseError, SigningKeys
from server.features.keys.authenticator import KEY
from tests.stack import PostgresServer

SECRETS = Secrets(b"s" * 32)
START = datetime(2030, 1, 1, tzinfo=UTC)
MONTH = timedelta(days=30)
MINUTE = timedelta(minutes=1)
KINDS = (USER, KEY)


@pytest.fixture
async def engine(postgres: PostgresServer) -> AsyncIterator[AsyncEngine]:
    """A database in which no key was made yet."""
    with postgres.fresh_database() as url:
        engine = create_engine(url)
        yield engine
        await engine.dispose()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
async def keys(engine: AsyncEngine, clock: FakeClock) -> SigningKeys:
    """The keys of a core that has started."""
    keys = SigningKeys(engine, SECRETS, clock)
    await keys.load()
    return keys


def published_for_access_tokens(keys: SigningKeys) -> list[str]:
    """The names of the published keys, without those that sign ID tokens alone."""
    ring = (key for key in keys.published() if isinstance(key.public_key, EllipticCurvePublicKey))
    return [key.kid for key in ring]


def token(keys: SigningKeys, clock: FakeClock) -> str:
    issuer = TokenIssuer(keys, "portico", clock)
    return issuer.issue(
        kind=USER, subject=new_id(), session_id=new_id(), organization_id=None, tier="free"
    )


async def rotate(keys: SigningKeys, clock: FakeClock) -> None:
    clock.advance(MONTH)
    assert await keys.rotate(clock.now)
    await keys.refresh()


async def test_cores_that_start_at_once_make_one_key(engine: AsyncEngine, clock: FakeClock) -> None:
    cores = [SigningKeys(engine, SECRETS, clock) for _ in range(4)]
    await asyncio.gather(*(core.load() for core in cores))
    assert len({core.signing_key().kid for core in cores}) == 1


async def test_a_core_that_starts_again_signs_with_the_same_key(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys
) -> None:
    again = SigningKeys(engine, SECRETS, clock)
    await again.load()
    assert again.signing_key().kid == keys.signing_key().kid
    signed = token(keys, clock)
    assert await TokenVerifier(again, "portico", clock, KINDS).verify(signed)


async def test_the_private_half_is_stored_sealed(engine: AsyncEngine, keys: SigningKeys) -> None:
    async with engine.connect() as connection:
        query = text("select sealed_private_key from signing_keys")
        sealed: bytes = (await connection.execute(query)).scalar_one()
    assert b"PRIVATE KEY" not in sealed


async def test_another_secret_key_is_told_so(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys
) -> None:
    with pytest.raises(SealedOtherwiseError, match="PORTICO_SECRET_KEY"):
        await SigningKeys(engine, Secrets(b"x" * 32), clock).load()


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_an_id_token_can_be_signed_by_either_algorithm(
    keys: SigningKeys, algorithm: str
) -> None:
    key = keys.id_token_key(algorithm)
    signed = jwt.encode({"sub": "ada"}, key.private_key, key.algorithm)
    published = {one.kid: one.public_key for one in keys.published()}
    assert jwt.decode(signed, published[key.kid], [algorithm]) == {"sub": "ada"}


async def test_a_key_for_id_tokens_verifies_no_access_token(
    clock: FakeClock, keys: SigningKeys
) -> None:
    """Neither by its own algorithm nor by another one that its name is used with."""
    key = keys.id_token_key("RS256")
    claims = jwt.decode(token(keys, clock), options={"verify_signature": False})
    forged = jwt.encode(claims, key.private_key, "RS256", headers={"kid": key.kid})
    with pytest.raises(UnauthenticatedError):
        await TokenVerifier(keys, "portico", clock, KINDS).verify(forged)
    assert await keys.public_key(key.kid) is None
    assert isinstance(await keys.any_key(key.kid), RSAPublicKey)


async def test_keys_for_id_tokens_are_rotated_like_the_others(
    clock: FakeClock, keys: SigningKeys
) -> None:
    old = keys.id_token_key("RS256").kid
    await rotate(keys, clock)
    assert keys.id_token_key("RS256").kid == old
    clock.advance(10 * MINUTE)
    assert keys.id_token_key("RS256").kid != old
    clock.advance(60 * MINUTE)
    assert old not in {key.kid for key in keys.published()}


async def test_a_young_key_is_not_rotated(clock: FakeClock, keys: SigningKeys) -> None:
    clock.advance(MONTH - MINUTE)
    assert not await keys.rotate(clock.now)


async def test_two_that_rotate_at_once_make_one_key(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys
) -> None:
    clock.advance(MONTH)
    others = [SigningKeys(engine, SECRETS, clock) for _ in range(3)]
    assert sorted(await asyncio.gather(*(o.rotate(clock.now) for o in others))) == [
        False,
        False,
        True,
    ]


async def test_the_next_key_is_published_before_it_signs(
    clock: FakeClock, keys: SigningKeys
) -> None:
    old = keys.signing_key().kid
    await rotate(keys, clock)
    published = published_for_access_tokens(keys)
    assert (len(published), published[0], keys.signing_key().kid) == (2, old, old)
    clock.advance(10 * MINUTE)
    new = keys.signing_key().kid
    assert new == published[1]
    assert published_for_access_tokens(keys) == [new, old]


async def test_no_token_is_refused_for_the_change_of_keys(
    clock: FakeClock, keys: SigningKeys
) -> None:
    verifier = TokenVerifier(keys, "portico", clock, KINDS)
    await rotate(keys, clock)
    clock.advance(10 * MINUTE - timedelta(seconds=1))
    last_of_the_old = token(keys, clock)
    clock.advance(MINUTE)
    assert await verifier.verify(token(keys, clock))
    clock.advance(13 * MINUTE)
    assert await verifier.verify(last_of_the_old)


async def test_an_old_key_is_retired_an_hour_after_the_new_one_signs(
    clock: FakeClock, keys: SigningKeys
) -> None:
    old = keys.signing_key().kid
    await rotate(keys, clock)
    clock.advance(69 * MINUTE)
    assert await keys.public_key(old) is not None
    clock.advance(MINUTE)
    assert await keys.public_key(old) is None
    assert old not in {key.kid for key in keys.published()}


async def test_a_retired_key_opens_nothing_even_for_a_token_seen_before(
    clock: FakeClock, keys: SigningKeys
) -> None:
    verifier = TokenVerifier(keys, "portico", clock, KINDS)
    issuer = TokenIssuer(keys, "portico", clock)
    long_lived = issuer.issue(
        kind=KEY, subject=new_id(), organization_id=None, tier="free", lifetime=2 * MONTH
    )
    assert await verifier.verify(long_lived)
    await rotate(keys, clock)
    clock.advance(70 * MINUTE)
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(long_lived)


async def test_a_token_of_a_retired_key_names_its_session_as_long_as_that_can_last(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys
) -> None:
    """Whoever was away for a while can sign out with it, at a core that has started since, too."""
    signed = token(keys, clock)
    await rotate(keys, clock)
    clock.advance(70 * MINUTE)
    await opens_nothing_and_names_its_session(keys, clock, signed)  # retired since it was read
    await keys.refresh()
    await opens_nothing_and_names_its_session(keys, clock, signed)
    clock.advance(MONTH - MINUTE)
    later = SigningKeys(engine, SECRETS, clock)
    await later.load()
    await opens_nothing_and_names_its_session(later, clock, signed)
    clock.advance(MINUTE)
    await later.refresh()
    with pytest.raises(UnauthenticatedError):
        await TokenVerifier(later, "portico", clock, KINDS).verify_expired(signed)


async def opens_nothing_and_names_its_session(
    keys: SigningKeys, clock: FakeClock, signed: str
) -> None:
    verifier = TokenVerifier(keys, "portico", clock, KINDS)
    for _ in range(2):
        assert (await verifier.verify_expired(signed)).session_id is not None
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(signed)


async def test_a_retired_key_of_another_secret_key_stops_no_core(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys
) -> None:
    async with engine.begin() as connection:
        for table in ("signing_keys", "id_token_keys"):
            retire = text(f"update {table} set retired_at = :now")  # noqa: S608
            await connection.execute(retire, {"now": clock.now})
    other = SigningKeys(engine, Secrets(b"x" * 32), clock)
    await other.load()
    assert await other.former_key(keys.signing_key().kid) is None
    assert await TokenVerifier(other, "portico", clock, KINDS).verify(token(other, clock))


async def test_a_key_that_another_core_made_is_found_by_its_first_token(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys
) -> None:
    other = SigningKeys(engine, SECRETS, clock)
    await other.load()
    await rotate(other, clock)
    clock.advance(10 * MINUTE)
    assert await TokenVerifier(keys, "portico", clock, KINDS).verify(token(other, clock))


async def test_keys_are_kept_fresh_through_a_failure(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "REFRESH_INTERVAL", 0.01)
    fresh = asyncio.create_task(keys.keep_fresh())
    await _rename(engine, "signing_keys", "away")
    await asyncio.sleep(0.1)
    await _rename(engine, "away", "signing_keys")
    clock.advance(MONTH)
    assert await keys.rotate(clock.now)
    await eventually(lambda: len(published_for_access_tokens(keys)) == 2)
    fresh.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fresh


async def _rename(engine: AsyncEngine, table: str, to: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"alter table {table} rename to {to}"))


async def test_made_up_keys_do_not_make_us_ask_the_database_each_time(
    engine: AsyncEngine, clock: FakeClock, keys: SigningKeys
) -> None:
    other = SigningKeys(engine, SECRETS, clock)
    await other.load()
    assert await keys.public_key("made up") is None
    await rotate(other, clock)
    clock.advance(10 * MINUTE)
    assert await keys.public_key(other.signing_key().kid) is None
