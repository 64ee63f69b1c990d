"""A client proves who it is in the one way that it is registered for, and in no other."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.features.applications.errors import InvalidClientError, TooManyClientFailuresError
from tests.core.applications.conftest import ApplicationClient


async def test_a_client_is_found_with_what_it_may(application_client: ApplicationClient) -> None:
    created = (await application_client.create(name="Reports")).application
    client = await application_client.facade.find(created.id)
    assert client is not None
    assert (client.client_id, client.name, client.kind) == (created.id, "Reports", "web")
    assert client.scopes == {"openid", "projects:read"}
    assert client.grant_types == {"authorization_code", "refresh_token"}
    assert (client.tier, client.access_token_lifetime) == ("free", timedelta(minutes=15))
    assert client.organization_name.startswith("Tenant ")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_client_authenticates_with_its_secret(
    application_client: ApplicationClient, method: str
) -> None:
    created = await application_client.create(token_endpoint_auth_method=method)
    application = created.application
    client = await application_client.authenticate(application.id, created.client_secret, method)
    assert client.client_id == application.id
    assert client.secret_id == application.secrets[0].id


async def test_no_other_secret_is_good(application_client: ApplicationClient) -> None:
    created = await application_client.create()
    other = await application_client.create()
    for secret in (other.client_secret, created.client_secret[:-1], "", "x" * 600, "\ud83d\ude00"):
        with pytest.raises(InvalidClientError):
            await application_client.authenticate(created.application.id, secret)


@pytest.mark.parametrize(
    "client_id", ["", "x", "0194f3a0-0000-7000-8000-000000000000", "\x00" * 36, "9" * 36]
)
async def test_an_unknown_client_is_refused_like_a_wrong_secret(
    application_client: ApplicationClient, client_id: str
) -> None:
    for method in ("client_secret_basic", "client_secret_post", "none"):
        with pytest.raises(InvalidClientError) as caught:
            await application_client.authenticate(client_id, "secret", method)
        assert caught.value.metadata == {}


async def test_an_id_has_one_spelling(application_client: ApplicationClient) -> None:
    application_id = (await application_client.create()).application.id
    for spelled in (application_id.upper(), application_id.replace("-", "") + "----"):
        assert await application_client.facade.find(spelled) is None


async def test_only_who_has_the_secret_hears_that_the_method_is_wrong(
    application_client: ApplicationClient,
) -> None:
    created = await application_client.create()
    with pytest.raises(InvalidClientError) as caught:
        await application_client.authenticate(
            created.application.id, created.client_secret, "client_secret_post"
        )
    assert "client_secret_basic" in caught.value.metadata["error_description"]
    with pytest.raises(InvalidClientError) as caught:
        await application_client.authenticate(created.application.id, "wrong", "client_secret_post")
    assert caught.value.metadata == {}


async def test_a_public_client_names_itself_and_shows_nothing(
    application_client: ApplicationClient,
) -> None:
    created = await application_client.create("single_page")
    assert created.client_secret == ""
    client = await application_client.authenticate(created.application.id, method="none")
    assert (client.client_id, client.secret_id) == (created.application.id, "")
    # An empty secret is none (RFC 6749, section 2.3.1), as some libraries send it.
    await application_client.authenticate(created.application.id, "", "client_secret_basic")
    with pytest.raises(InvalidClientError):
        await application_client.authenticate(created.application.id, "a secret")


async def test_a_confidential_client_cannot_pass_for_a_public_one(
    application_client: ApplicationClient,
) -> None:
    created = await application_client.create()
    for method in ("none", "client_secret_basic", "client_secret_post"):
        with pytest.raises(InvalidClientError):
            await application_client.authenticate(created.application.id, "", method)


async def test_the_previous_secret_is_good_for_the_overlap(
    application_client: ApplicationClient,
) -> None:
    created = await application_client.create()
    application_id, first = created.application.id, created.client_secret
    rotated = await application_client.rotate(application_id, overlap_seconds=60)
    before = await application_client.authenticate(application_id, first)
    after = await application_client.authenticate(application_id, rotated.client_secret)
    assert [after.secret_id, before.secret_id] == [one.id for one in rotated.application.secrets]
    with application_client.world.clock.later(timedelta(seconds=61)):
        with pytest.raises(InvalidClientError):
            await application_client.authenticate(application_id, first)
        await application_client.authenticate(application_id, rotated.client_secret)


async def test_failures_are_counted_and_lock_nobody_out(
    application_client: ApplicationClient,
) -> None:
    created = await application_client.create()
    application_id = created.application.id
    for _ in range(20):
        with pytest.raises(InvalidClientError):
            await application_client.authenticate(application_id, "wrong")
    with pytest.raises(TooManyClientFailuresError) as caught:
        await application_client.authenticate(application_id, "wrong")
    assert caught.value.retry_after is not None
    assert timedelta(0) < caught.value.retry_after <= timedelta(minutes=1)
    # Whoever presents wrong secrets in a client's name must not keep it from its tokens.
    await application_client.authenticate(application_id, created.client_secret)
