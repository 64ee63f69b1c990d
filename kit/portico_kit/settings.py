"""Reads the settings of a process from its environment (PORTICO_*)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from portico_kit.mail_server import smtp_url

AnySettings = TypeVar("AnySettings", bound=BaseSettings)

DATABASE_FORM = "give postgresql://user:password@host:port/database"
VALKEY_FORM = "give redis://host:port/number, rediss://host:port/number or unix:///path"
COUNTS_FORM = f"{VALKEY_FORM}, or redis+cluster://host:port for a cluster"


def read(kind: type[AnySettings]) -> AnySettings:
    """The settings, or an exit with 1 and a line for each that is wrong."""
    try:
        return kind.model_validate({})
    except ValidationError as error:
        sys.exit("\n".join(f"portico: {line}" for line in described(error)))


def problems(kind: type[BaseSettings]) -> list[str]:
    """A line for each setting that is wrong."""
    try:
        kind.model_validate({})
    except ValidationError as error:
        return described(error)
    return []


def described(error: ValidationError) -> list[str]:
    """What is wrong, a line for each variable.

    A line names the variable and the rule, never the value: it may be a secret.
    """
    lines = {
        f"PORTICO_{str(problem['loc'][0]).upper()}": problem["msg"].removeprefix("Value error, ")
        for problem in reversed(error.errors())
    }
    return [f"{name}: {rule}" for name, rule in sorted(lines.items())]


def database_url(value: str) -> str:
    """A URL of PostgreSQL.

    Raises:
        ValueError: if it is none.
    """
    return _url(value, ("postgresql",), DATABASE_FORM)


def valkey_url(value: str) -> str:
    """A URL of Valkey or Redis."""
    return _url(value, ("redis", "rediss", "unix"), VALKEY_FORM)


def counts_url(value: str) -> str:
    """A URL of Valkey or Redis, or of a cluster."""
    schemes = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
    return _url(value, schemes, COUNTS_FORM)


def split(value: object) -> object:
    """Takes a comma-separated list, as an environment variable gives it."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


DatabaseUrl = Annotated[str, AfterValidator(database_url)]
ValkeyUrl = Annotated[str, AfterValidator(valkey_url)]
CountsUrl = Annotated[str, AfterValidator(counts_url)]
SmtpUrl = Annotated[str, AfterValidator(smtp_url)]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Ids = Annotated[tuple[UUID, ...], NoDecode, BeforeValidator(split)]


Engine = Literal["pygrpc-native", "grpcio"]
LogLevel = Literal["debug", "info", "warning", "error"]


class PlatformSettings(BaseSettings):
    """Where a platform lives. Each field is read from PORTICO_<FIELD>."""

    # What was set may be a secret: an error message does not repeat it.
    model_config = SettingsConfigDict(
        env_prefix="PORTICO_", env_ignore_empty=True, hide_input_in_errors=True
    )

    state_dir: Path = Path(".portico")
    # The folder of the unix sockets; only our own processes may enter it.
    runtime_dir: Path = Field(default_factory=lambda given: given["state_dir"] / "run")

    def socket(self, part: str) -> Path:
        """Where a part of the platform listens, by its name."""
        return self.runtime_dir / f"{part}.sock"


class ProcessSettings(PlatformSettings):
    """What every Python process of a platform is told beside that."""

    # Valkey or Redis: redis://host:port/db or unix:///path.
    redis_url: ValkeyUrl
    log_level: LogLevel = "info"


class ServerSettings(ProcessSettings):
    """What every process that serves gRPC is told beside that."""

    # What speaks HTTP/2.
    grpc_engine: Engine = "pygrpc-native"


def _url(value: str, schemes: tuple[str, ...], form: str) -> str:
    try:
        parts = urlsplit(value)
        good = parts.port != 0
    except ValueError:
        good = False
    if not good or not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(form)
    if parts.scheme == "unix" and not parts.path:
        raise ValueError(form)
    return value
