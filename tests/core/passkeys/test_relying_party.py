"""Which site passkeys are for, and which pages and apps may use them."""

from __future__ import annotations

import base64

import pytest
from portico.passkeys.v1 import passkey_service_pb2 as pb
from portico.passkeys.v1.passkey_service_pb2_grpc import PasskeyServiceStub
from pydantic import SecretStr, ValidationError

from edge.web.paths import ACCOUNT_SECURITY, ADD_PASSKEY
from server.features.passkeys.providers import new_name, provider
from server.features.passkeys.relying_party import relying_party
from server.settings import Settings
from tests.core.world import World
from tests.support.authenticator import ICLOUD

APP = "android:apk-key-hash:" + "A" * 43


def settings(**given: object) -> Settings:
    return Settings(
        database_url="postgresql://localhost/portico",
        redis_url="redis://localhost",
        secret_key=SecretStr(base64.b64encode(bytes(32)).decode()),
        internal_token=SecretStr("x" * 32),
        **given,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("public_url", "rp_id", "origin"),
    [
        ("https://id.example.com", "id.example.com", "https://id.example.com"),
        ("https://id.example.com/", "id.example.com", "https://id.example.com"),
        ("https://ID.Example.com:443/", "id.example.com", "https://id.example.com"),
        ("https://example.com:8443", "example.com", "https://example.com:8443"),
        ("http://localhost:8080", "localhost", "http://localhost:8080"),
        # Browsers have no passkeys for addresses in numbers.
        ("http://127.0.0.1:8080", "localhost", "http://localhost:8080"),
        ("http://[::1]:8080", "localhost", "http://localhost:8080"),
    ],
)
def test_it_is_the_host_of_the_public_url(public_url: str, rp_id: str, origin: str) -> None:
    site = relying_party(public_url, "Portico", None, ())
    assert (site.id, site.origins) == (rp_id, [origin])


def test_a_parent_domain_and_related_origins_are_set() -> None:
    related = ("https://app.example.com", "https://example.de", APP, "https://id.example.com")
    site = relying_party("https://id.example.com", "Portico", "example.com", related)
    assert site.id == "example.com"
    assert site.origins == [
        "https://id.example.com",
        "https://app.example.com",
        "https://example.de",
        APP,
    ]
    assert site.web_origins == site.origins[:3]


def test_origins_are_read_from_one_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTICO_PASSKEY_ORIGINS", f"https://app.example.com, {APP},")
    assert settings().passkey_origins == ("https://app.example.com", APP)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*.example.com",
        "http://example.com",
        "https://example.com/",
        "https://example.com/path",
        "https://Example.com",
        "https://example.com:443",
        "https://example.com:",
        "https://a@example.com",
        "example.com",
        "null",
        "android:apk-key-hash:short",
        "javascript:alert(1)",
    ],
)
def test_what_no_browser_would_send_as_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="without a path"):
        settings(passkey_origins=origin)


@pytest.mark.parametrize(
    "rp_id", ["https://example.com", "example.com:443", "Example.com", "com", "1.2.3.4", "a..b", ""]
)
def test_what_is_no_domain_is_refused(rp_id: str) -> None:
    with pytest.raises(ValidationError, match="no domain"):
        settings(passkey_rp_id=rp_id)


async def test_browsers_read_which_origins_are_related(world: World) -> None:
    passkeys = PasskeyServiceStub(world.channel)
    answer = await passkeys.GetRelatedOrigins(pb.GetRelatedOriginsRequest())
    assert list(answer.origins) == ["http://localhost:8080"]


async def test_password_managers_read_where_passkeys_are_managed(world: World) -> None:
    passkeys = PasskeyServiceStub(world.channel)
    answer = await passkeys.GetPasskeyEndpoints(pb.GetPasskeyEndpointsRequest())
    assert answer.enroll == f"http://127.0.0.1:8080{ADD_PASSKEY}"
    assert answer.manage == f"http://127.0.0.1:8080{ACCOUNT_SECURITY}"


def test_a_new_passkey_gets_a_name_that_is_free() -> None:
    assert provider(ICLOUD) == "iCloud Keychain"
    assert new_name(ICLOUD, ()) == "iCloud Keychain"
    taken = {"iCloud Keychain", "iCloud Keychain 3", "Phone"}
    assert new_name(ICLOUD, taken) == "iCloud Keychain 2"
