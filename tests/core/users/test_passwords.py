"""Hashes of passwords: slow for a thief, worth nothing without the key, and cheap for others."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
import unicodedata

import bcrypt
import pytest

from portico_kit.secrets import Secrets
from portico_kit.threads import LOWEST_PRIORITY
from server.features.users.password_hashes import Algorithm, Argon2id, Bcrypt, bare_pre_hash
from server.features.users.passwords import Passwords

PASSWORD = "correct horse battery"
SECRETS = Secrets(b"k" * 32)
BOTH: list[Algorithm] = [Bcrypt(4), Argon2id(memory_kib=64, passes=1)]


def passwords(algorithm: Algorithm = BOTH[0]) -> Passwords:
    return Passwords(SECRETS, algorithm)


def as_0_1_stored_it(password: str, rounds: int = 4) -> str:
    return bcrypt.hashpw(bare_pre_hash(password), bcrypt.gensalt(rounds)).decode()


@pytest.mark.parametrize("algorithm", BOTH, ids=["bcrypt", "argon2id"])
async def test_a_hash_is_of_its_password_and_of_no_other(algorithm: Algorithm) -> None:
    stored = await passwords(algorithm).hash(PASSWORD)
    assert await passwords(algorithm).verify(PASSWORD, stored)
    assert not await passwords(algorithm).verify(PASSWORD + "!", stored)
    assert not await passwords(algorithm).verify("", stored)
    assert not await passwords(algorithm).verify_nothing(PASSWORD)


@pytest.mark.parametrize("algorithm", BOTH, ids=["bcrypt", "argon2id"])
async def test_a_copy_of_the_table_is_worth_nothing_without_the_secret_key(
    algorithm: Algorithm,
) -> None:
    stored = await passwords(algorithm).hash(PASSWORD)
    assert not await Passwords(Secrets(b"x" * 32), algorithm).verify(PASSWORD, stored)
    encoded = stored.removeprefix("k1")
    assert not algorithm.verify(PASSWORD.encode(), encoded)
    assert not algorithm.verify(bare_pre_hash(PASSWORD), encoded)


@pytest.mark.parametrize("algorithm", BOTH, ids=["bcrypt", "argon2id"])
async def test_both_forms_and_that_of_0_1_are_verified_whatever_is_set(
    algorithm: Algorithm,
) -> None:
    for stored in (
        *[await passwords(other).hash(PASSWORD) for other in BOTH],
        as_0_1_stored_it(PASSWORD),
    ):
        assert await passwords(algorithm).verify(PASSWORD, stored)
        assert not await passwords(algorithm).verify(PASSWORD + "!", stored)


async def test_a_hash_says_how_it_was_made() -> None:
    assert (await Passwords(SECRETS, Bcrypt()).hash(PASSWORD)).startswith("k1$2b$10$")
    stored = await Passwords(SECRETS, Argon2id()).hash(PASSWORD)
    assert stored.startswith("k1$argon2id$v=19$m=19456,t=2,p=1$")
    assert len(stored) <= 255


async def test_only_what_is_stored_otherwise_than_set_asks_for_a_new_hash() -> None:
    here = passwords()
    assert not here.needs_rehash(await here.hash(PASSWORD))
    assert here.needs_rehash(as_0_1_stored_it(PASSWORD))
    for other in (Bcrypt(5), *BOTH[1:]):
        assert here.needs_rehash(await passwords(other).hash(PASSWORD))
    argon2id = passwords(BOTH[1])
    stored = await argon2id.hash(PASSWORD)
    assert not argon2id.needs_rehash(stored)
    assert passwords(Argon2id(memory_kib=128, passes=1)).needs_rehash(stored)


async def test_the_same_password_has_another_hash_each_time() -> None:
    assert await passwords().hash(PASSWORD) != await passwords().hash(PASSWORD)


@pytest.mark.parametrize("tail", ["", "x", "\0", "\0x"])
async def test_every_character_counts(tail: str) -> None:
    stored = await passwords().hash("p" * 100 + tail)
    assert not await passwords().verify("p" * 100 + tail + "y", stored)
    assert await passwords().verify("p" * 100 + tail, stored)


async def test_letters_may_be_typed_in_any_form_of_unicode() -> None:
    typed = "zw\u00f6lf kleine \uff37orte"
    stored = await passwords().hash(typed)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert await passwords().verify(unicodedata.normalize(form, typed), stored)


@pytest.mark.parametrize("stored", [None, Bcrypt(7), Bcrypt(10)], ids=["as set", "less", "more"])
async def test_an_unknown_address_costs_the_time_of_a_wrong_password(
    stored: Algorithm | None,
) -> None:
    """Also after the cost was changed, once a hash of the other one has been verified."""
    here = passwords(Bcrypt(9))
    hashed = await passwords(stored or Bcrypt(9)).hash(PASSWORD)
    assert not await here.verify("wrong", hashed)
    assert not await here.verify_nothing("wrong")

    async def seconds(known: bool) -> float:
        started = time.perf_counter()
        if known:
            assert not await here.verify("wrong", hashed)
        else:
            assert not await here.verify_nothing("wrong")
        return time.perf_counter() - started

    # The shortest of several is what the work itself takes; a busy machine may need some more.
    known, unknown = [], []
    for _ in range(40):
        known.append(await seconds(known=True))
        unknown.append(await seconds(known=False))
        if len(known) >= 7 and 0.6 < min(unknown) / min(known) < 1.7:
            break
    assert 0.6 < min(unknown) / min(known) < 1.7


@pytest.mark.parametrize("algorithm", [Bcrypt(), Argon2id()], ids=["bcrypt", "argon2id"])
async def test_nobody_else_waits_for_a_hash(algorithm: Algorithm) -> None:
    hashing = asyncio.ensure_future(passwords(algorithm).hash(PASSWORD))
    ticks = 0
    while not hashing.done():
        await asyncio.sleep(0.001)
        ticks += 1
    assert await hashing
    assert ticks >= 5


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own")
async def test_hashing_steps_back_for_everything_else() -> None:
    here = passwords()
    await here.hash(PASSWORD)
    hashing = [each for each in threading.enumerate() if each.name.startswith("passwords")]
    assert hashing
    niceness = [os.getpriority(os.PRIO_PROCESS, each.native_id or 0) for each in hashing]
    assert set(niceness) == {LOWEST_PRIORITY}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < LOWEST_PRIORITY
