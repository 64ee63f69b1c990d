"""The settings of the core and the workers, from the environment (PORTICO_*)."""

from __future__ import annotations

import re
from email.utils import parseaddr
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from portico_kit.public_url import PublicUrl
from portico_kit.secrets import Secrets
from portico_kit.settings import (
    DatabaseUrl,
    Ids,
    LogLevel,
    Names,
    PlatformSettings,
    ProcessSettings,
    ServerSettings,
    SmtpUrl,
    ValkeyUrl,
)

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"localhost|({_LABEL}\.)+(?![0-9]+$){_LABEL}")
# As browsers write them: only on the same machine without TLS, and no default port.
_WEB_ORIGIN = re.compile(
    rf"(https://({_LABEL}\.)*{_LABEL}|http://localhost)(?!:(0|443)?$)(:[0-9]{{1,5}})?"
)
# The fingerprint of an app's certificate, SHA-256.
_ANDROID_ORIGIN = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")
# What brokers of Kafka are called, as a list.
_BROKER = rf"(({_LABEL}\.)*{_LABEL}|\[[0-9a-f:]+\]):[0-9]{{1,5}}"
_BROKERS = re.compile(rf"{_BROKER}(,{_BROKER})*", re.IGNORECASE)
# How Twilio names things, after two letters for the kind.
_SID = "[0-9a-zA-Z]{32}"


class SharedSettings(ProcessSettings):
    """What the core and the workers are both told beside what every process is."""

    environment: Literal["development", "production"] = "development"
    database_url: DatabaseUrl
    # 32 random bytes as base64; everything secret is derived from it.
    secret_key: SecretStr
    public_url: str = "http://127.0.0.1:8080"
    # How the product is called where people read it.
    product_name: str = Field(default="Portico", min_length=1, max_length=50)
    # Who carries text messages; "phonebox" shows them in the development mailbox.
    sms_provider: Literal["none", "twilio", "phonebox"] = "none"
    # Development only: webhooks may point to this machine.
    webhook_allow_loopback: bool = False

    @field_validator("webhook_allow_loopback")
    @classmethod
    def _is_for_development(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("environment") == "production":
            raise ValueError("webhooks may point to this machine in development only")
        return value

    @field_validator("sms_provider")
    @classmethod
    def _shows_codes_in_development_only(cls, value: str, info: ValidationInfo) -> str:
        if value == "phonebox" and info.data.get("environment") == "production":
            raise ValueError("the phonebox is for development only; give twilio or none")
        return value

    @field_validator("secret_key")
    @classmethod
    def _is_a_master_secret(cls, value: SecretStr) -> SecretStr:
        Secrets.from_base64(value.get_secret_value())
        return value

    @cached_property
    def secrets(self) -> Secrets:
        """The keys derived from the secret key."""
        return Secrets.from_base64(self.secret_key.get_secret_value())


class Settings(SharedSettings, ServerSettings):
    """What the core is told beside that."""

    # What our own services present to call internal methods.
    internal_token: SecretStr = Field(min_length=32)
    grpc_port: int = Field(default=9090, ge=0, le=65535)
    # The address that internal callers reach the core at; loopback unless said otherwise.
    grpc_host: str = "127.0.0.1"
    issuer: str = "portico"
    # The domain that passkeys are for; the host of the public URL if unset.
    passkey_rp_id: str | None = None
    # Pages and apps that may use the passkeys beside those of the public URL.
    passkey_origins: Names = ()
    # The countries that codes are sent to by SMS, "DE,AT".
    sms_countries: Names = ()
    # Its webhooks may receive the events that belong to no organization, about people; unset,
    # these are only in the audit log.
    operator_organization: UUID | None = None
    # Owns the applications that come by themselves and name no organization: registered without
    # an initial access token, or described by a document; its policy decides. Unset, none do.
    registration_organization: UUID | None = None
    # How new passwords are hashed; both forms are verified.
    password_hash: Literal["bcrypt", "argon2id"] = "bcrypt"  # noqa: S105
    bcrypt_rounds: int = Field(default=10, ge=4, le=20)
    # How long the limiter may take to charge what only the core can see, in seconds.
    budget_timeout: float = Field(default=0.5, gt=0, le=10)
    database_pool_size: int = Field(default=20, ge=1, le=100)
    # Where Prometheus reads the core's metrics; none if not set.
    metrics_port: int | None = Field(default=None, ge=0, le=65535)

    @field_validator("passkey_rp_id")
    @classmethod
    def _is_a_domain(cls, value: str | None) -> str | None:
        if value is not None and not _DOMAIN.fullmatch(value):
            raise ValueError("it is no domain in lower case, as in example.com")
        return value

    @field_validator("passkey_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_WEB_ORIGIN.fullmatch(one) or _ANDROID_ORIGIN.fullmatch(one) for one in value):
            raise ValueError(
                "give https://host or https://host:port without a path, in lower case, or "
                "android:apk-key-hash:... for an app"
            )
        return value

    @field_validator("sms_countries")
    @classmethod
    def _are_countries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if value and not all(map(_is_country, value)):
            raise ValueError("give countries by two letters (ISO 3166-1), as in DE,AT")
        return value

    @property
    def key_environment(self) -> str:
        """What stands in the API keys made here: "live" or "test"."""
        return "live" if self.environment == "production" else "test"


class WorkerSettings(SharedSettings):
    """What the workers are told beside what the core is told, too."""

    smtp_url: SmtpUrl = "smtp://127.0.0.1:1025"
    mail_from: str = "Portico <no-reply@portico.localhost>"
    # Twilio's API, or one that speaks like it.
    twilio_url: str = "https://api.twilio.com"
    twilio_account_sid: str = Field(default="", pattern=rf"^(AC{_SID})?$", validate_default=True)
    # The SID of an API key, which can do less than the account; unset, the account signs in.
    twilio_api_key: str = Field(default="", pattern=rf"^(SK{_SID})?$")
    # The secret of the API key, else the token of the account.
    twilio_auth_token: SecretStr = Field(default=SecretStr(""), validate_default=True)
    # Who text messages are from: a number, a name, or a messaging service.
    sms_from: str = Field(
        default="",
        pattern=rf"^(\+[1-9][0-9]{{2,14}}|[0-9A-Za-z ]{{1,11}}|MG{_SID})?$",
        validate_default=True,
    )
    # Where Twilio reports what became of a message; nothing of ours asks for it.
    twilio_status_callback: str = Field(default="", pattern=r"^(https://\S+)?$")
    # How many tasks run at once. Deliveries do not count: they share one event loop.
    worker_concurrency: int = Field(default=8, ge=1, le=64)
    # Whether the worker is beat as well. One process alone may be.
    worker_beat: bool = False
    # How long a webhook may accept nothing until it is disabled, in seconds.
    webhook_failing_period: int = Field(default=432_000, ge=60, le=2_592_000)
    # Where Prometheus reads the metrics of this worker; none if not set.
    worker_metrics_port: int | None = Field(default=None, ge=0, le=65535)

    @field_validator("mail_from")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if "@" not in parseaddr(value)[1] or not value.isprintable():
            raise ValueError('it is no address, as in "Portico <no-reply@example.com>"')
        return value

    @field_validator("twilio_url")
    @classmethod
    def _is_encrypted(cls, value: str) -> str:
        parts = urlsplit(value)
        near = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if not parts.hostname or parts.scheme not in (("http", "https") if near else ("https",)):
            raise ValueError("give an https:// URL")
        return value.rstrip("/")

    @field_validator("twilio_account_sid", "twilio_auth_token", "sms_from")
    @classmethod
    def _is_there_for_twilio(cls, value: SecretStr | str, info: ValidationInfo) -> SecretStr | str:
        if info.data.get("sms_provider") == "twilio" and not value:
            raise ValueError("PORTICO_SMS_PROVIDER=twilio needs it")
        return value

    @property
    def schedule_file(self) -> Path:
        """Where beat remembers what ran when."""
        return self.state_dir / "beat-schedule"


class RelaySettings(PlatformSettings):
    """What the relay is told: where events are, and the buses that they are carried to."""

    database_url: DatabaseUrl
    log_level: LogLevel = "info"
    # The source of all events.
    public_url: PublicUrl = "http://127.0.0.1:8080"
    # Brokers of Kafka, host:port separated by commas; not relayed to Kafka if empty.
    relay_kafka_servers: str = ""
    relay_kafka_topic: str = Field(default="portico.events", pattern=r"^[a-zA-Z0-9._-]{1,249}$")
    relay_kafka_tls: bool = False
    # Who signs the certificates of the brokers, if not the authorities that the system trusts.
    relay_kafka_ca_file: Path | None = None
    # Our own certificate, where brokers ask for one.
    relay_kafka_certificate_file: Path | None = None
    relay_kafka_key_file: Path | None = None
    # Signs in with SASL; nobody does if empty.
    relay_kafka_user: str = ""
    relay_kafka_password: SecretStr = Field(default=SecretStr(""), validate_default=True)
    relay_kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="SCRAM-SHA-512", validate_default=True
    )
    # The largest batch that the topic takes; an event beyond it is left out.
    relay_kafka_max_bytes: int = Field(default=1_000_000, ge=10_000, le=100_000_000)
    # Redis or Valkey; not relayed there if unset.
    relay_redis_url: ValkeyUrl | None = None
    relay_redis_stream: str = Field(default="portico:events", min_length=1, max_length=200)
    # About how many entries the stream keeps; 0 for all.
    relay_redis_maxlen: int = Field(default=1_000_000, ge=0)
    # Whose events; of all organizations if empty.
    relay_organizations: Ids = ()
    # Which types: "*" stands for all that belong to organizations.
    relay_types: Names = Field(default=("*",), min_length=1)
    # Where a bus begins that is new.
    relay_start: Literal["earliest", "latest"] = "earliest"
    relay_metrics_port: int | None = Field(default=None, ge=0, le=65535)

    @field_validator("relay_kafka_servers")
    @classmethod
    def _are_brokers(cls, value: str) -> str:
        value = value.replace(" ", "")
        if value and not _BROKERS.fullmatch(value):
            raise ValueError("give host:port of the brokers, separated by commas")
        return value

    @field_validator("relay_kafka_password")
    @classmethod
    def _has_a_user(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if bool(value.get_secret_value()) != bool(info.data.get("relay_kafka_user")):
            raise ValueError("it belongs to PORTICO_RELAY_KAFKA_USER: give both or none")
        return value

    @field_validator("relay_kafka_mechanism")
    @classmethod
    def _keeps_the_password(cls, value: str, info: ValidationInfo) -> str:
        given = info.data
        if value == "PLAIN" and given.get("relay_kafka_user") and not given.get("relay_kafka_tls"):
            raise ValueError("PLAIN shows the password: set PORTICO_RELAY_KAFKA_TLS=true")
        return value


def _is_country(code: str) -> bool:
    # Imported here: few processes need to know.
    from server.common.phone_numbers import is_country

    return is_country(code)
