"""Promises about who may pass, and what is said to those who may not."""

from __future__ import annotations

import time

import pytest
from portico.keys.v1.api_key_pb2 import ApiKeyLimits
from pydantic import SecretStr

from edge.settings import AuthorizeSettings
from portico_kit.testing.fake_core import FakeCore, Key
from portico_kit.testing.waiting import eventually
from portico_kit.tokens import new_api_key
from tests.authorize.harness import Edge, running_edge
from tests.gateway.tokens import CHALLENGE


def mistyped(secret: str) -> str:
    """The same key with another last character."""
    return secret[:-1] + ("x" if secret[-1] != "x" else "y")


async def test_a_key_is_exchanged_for_the_token_that_stands_for_it(edge: Edge) -> None:
    key = edge.core.add(Key())
    result = await edge.check(key.secret)
    assert result.headers == {
        "authorization": f"Bearer token-for-{key.id}",
        "x-auth-subject": key.id,
        "x-auth-tier": "pro",
        "x-auth-organization": key.organization_id,
    }


async def test_the_secret_and_forged_limits_do_not_go_on(edge: Edge) -> None:
    key = edge.core.add(Key())
    assert (await edge.check(key.secret)).removed == ["x-api-key", "x-auth-limits"]


async def test_what_goes_on_replaces_what_the_client_sent(edge: Edge) -> None:
    result = await edge.check(edge.core.add(Key()).secret)
    actions = {option.append_action for option in result.response.ok_response.headers}
    assert actions == {2}  # OVERWRITE_IF_EXISTS_OR_ADD


async def test_a_keys_own_limits_go_to_the_limiter(edge: Edge) -> None:
    key = edge.core.add(Key(limits=ApiKeyLimits(per_minute=60, per_month=10_000)))
    result = await edge.check(key.secret)
    assert result.headers["x-auth-limits"] == "minute=60,month=10000"
    assert result.removed == ["x-api-key"]


async def test_a_key_with_the_scope_may_call_the_method(edge: Edge) -> None:
    key = edge.core.add(Key(scopes=["keys:read", "webhooks:read"]))
    assert (await edge.check(key.secret, "webhooks:read")).status == 200


async def test_a_missing_scope_is_403_and_named(edge: Edge) -> None:
    key = edge.core.add(Key(scopes=["webhooks:read"]))
    result = await edge.check(key.secret, "webhooks:write")
    assert result.status == 403
    assert result.headers["x-error-code"] == "PERMISSION_DENIED"
    assert "webhooks:write" in result.message


async def test_a_stranger_is_not_told_what_was_wrong(edge: Edge) -> None:
    revoked = edge.core.add(Key())
    edge.core.revoke(revoked)
    unknown = new_api_key("live")
    wrong = [revoked.secret, unknown, mistyped(unknown), "", "pk_live_", "é" * 300]
    answers = {(await edge.check(secret)).response.SerializeToString() for secret in wrong}
    assert len(answers) == 1


async def test_a_refused_key_is_401_with_a_challenge(edge: Edge) -> None:
    result = await edge.check(new_api_key("live"))
    assert result.status == 401
    assert result.headers["www-authenticate"] == f'{CHALLENGE}, error="invalid_token"'
    assert result.headers["x-error-code"] == "UNAUTHENTICATED"


async def test_a_mistyped_key_never_reaches_the_core(edge: Edge) -> None:
    key = edge.core.add(Key())
    assert await edge.status(mistyped(key.secret)) == 401
    assert edge.core.asked == 0


async def test_a_core_that_is_down_is_503_until_it_is_back(edge: Edge) -> None:
    key = edge.core.add(Key())
    await edge.core.stop()
    result = await edge.check(key.secret)
    assert result.status == 503
    assert result.headers["x-error-code"] == "UNAVAILABLE"
    assert int(result.headers["retry-after"]) >= 1
    await edge.core.start()

    async def admitted() -> bool:
        return await edge.status(key.secret) == 200

    assert await eventually(admitted) < 3


async def test_a_core_that_hangs_is_503_before_the_gateway_gives_up(edge: Edge) -> None:
    key = edge.core.add(Key())
    edge.core.answers.clear()
    started = time.monotonic()
    assert await edge.status(key.secret) == 503
    assert time.monotonic() - started < 0.5
    edge.core.answers.set()
    assert await edge.status(key.secret) == 200


async def test_a_wrong_internal_token_is_our_fault_and_not_the_clients(
    settings: AuthorizeSettings, core: FakeCore
) -> None:
    misled = settings.model_copy(update={"internal_token": SecretStr("another-secret" * 3)})
    async with running_edge(misled, core) as edge:
        assert await edge.status(core.add(Key()).secret) == 503


@pytest.mark.parametrize("permission", ["", "webhooks:read"])
async def test_a_remembered_key_is_held_against_the_method_each_time(
    edge: Edge, permission: str
) -> None:
    key = edge.core.add(Key(scopes=["webhooks:read"]))
    assert (await edge.check(key.secret, permission)).status == 200
    assert (await edge.check(key.secret, "keys:write")).status == 403
    assert edge.core.asked == 1
