"""Settings of the edge services, from the environment (`PORTICO_*`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from portico_kit.settings import CountsUrl, ValkeyUrl

Engine = Literal["pygrpc-native", "grpcio"]
LogLevel = Literal["debug", "info", "warning", "error"]


class EdgeSettings(BaseSettings):
    """Settings of every edge service."""

    model_config = SettingsConfigDict(
        env_prefix="PORTICO_", env_ignore_empty=True, hide_input_in_errors=True
    )

    state_dir: Path = Path(".portico")
    # The folder of the unix sockets; only our own processes may enter it.
    runtime_dir: Path = Field(default_factory=lambda given: given["state_dir"] / "run")
    # Valkey or Redis: redis://host:port/db or unix:///path.
    redis_url: ValkeyUrl
    grpc_engine: Engine = "pygrpc-native"
    log_level: LogLevel = "info"

    @property
    def core_socket(self) -> Path:
        """Where the core listens."""
        return self.runtime_dir / "core.sock"

    @property
    def authorize_socket(self) -> Path:
        """Where the authorization service listens."""
        return self.runtime_dir / "authorize.sock"

    @property
    def ratelimit_socket(self) -> Path:
        """Where the rate limit service listens."""
        return self.runtime_dir / "ratelimit.sock"


class AuthorizeSettings(EdgeSettings):
    """Settings of the authorization service."""

    # The bearer secret of internal callers, shared with the core.
    internal_token: SecretStr = Field(min_length=32)


class RateLimitSettings(EdgeSettings):
    """Settings of the rate limit service."""

    # After so many seconds without an answer Valkey counts as unavailable.
    ratelimit_timeout: float = Field(default=0.04, gt=0, le=10)
    # Where the counts are, if not in `redis_url`: a server of its own, or a cluster.
    ratelimit_redis_url: CountsUrl | None = None
    # Rules of the table in shadow mode, by name: "login,free.minute".
    ratelimit_shadow: str = ""
    # Where Prometheus reads the decisions; nowhere if not set.
    ratelimit_metrics_port: int | None = Field(default=None, ge=0, le=65535)

    @property
    def counts_url(self) -> str:
        """Where the counts are."""
        return self.ratelimit_redis_url or self.redis_url

    @property
    def ratelimit_cluster(self) -> bool:
        """Whether they are on a cluster."""
        return "+cluster://" in self.counts_url

    @field_validator("ratelimit_shadow")
    @classmethod
    def _of_known_rules(cls, value: str) -> str:
        # Imported here, for the other services have no use for the rules.
        from edge.ratelimit.rules import parse_shadow_rules

        parse_shadow_rules(value)
        return value
