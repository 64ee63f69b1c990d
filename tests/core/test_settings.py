"""A setting that would open a door in production is refused at the start."""

from __future__ import annotations

import base64

import pytest
from pydantic import SecretStr, ValidationError

from server.settings import Settings

GIVEN = {
    "database_url": "postgresql://localhost/portico",
    "redis_url": "redis://localhost",
    "secret_key": SecretStr(base64.b64encode(bytes(32)).decode()),
    "internal_token": SecretStr("x" * 32),
}


def test_webhooks_to_this_machine_are_for_development_only() -> None:
    assert Settings(**GIVEN, webhook_allow_loopback=True).webhook_allow_loopback  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="development only"):
        Settings(**GIVEN, environment="production", webhook_allow_loopback=True)  # type: ignore[arg-type]


def test_countries_for_text_messages_are_a_list() -> None:
    assert Settings(**{**GIVEN, "sms_countries": "DE, AT,"}).sms_countries == ("DE", "AT")  # type: ignore[arg-type]
    assert Settings(**{**GIVEN, "sms_countries": ""}).sms_countries == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret_key", SecretStr("too short")),
        ("internal_token", SecretStr("too short")),
        ("database_url", "mysql://localhost"),
        ("redis_url", "http://localhost"),
        ("bcrypt_rounds", 3),
        ("password_hash", "md5"),
        ("sms_countries", "Germany"),
        ("sms_countries", "DE,XX"),
        ("sms_countries", "de"),
        ("sms_provider", "smtp"),
    ],
)
def test_a_weak_or_wrong_setting_is_named(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**{**GIVEN, name: value})  # type: ignore[arg-type]
    assert [error["loc"] for error in refused.value.errors()] == [(name,)]
    assert "too short" not in str(refused.value)
