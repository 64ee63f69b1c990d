"""Settings of the edge services, from the environment (`PORTICO_*`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from portico_kit.oauth_metadata import issuer_of
from portico_kit.public_url import PublicUrl
from portico_kit.settings import CountsUrl, ServerSettings


class EdgeSettings(ServerSettings):
    """Settings of every edge service."""

    @property
    def core_socket(self) -> Path:
        """Where the core listens."""
        return self.socket("core")

    @property
    def authorize_socket(self) -> Path:
        """Where the authorization service listens."""
        return self.socket("authorize")

    @property
    def ratelimit_socket(self) -> Path:
        """Where the rate limit service listens."""
        return self.socket("ratelimit")


class AuthorizeSettings(EdgeSettings):
    """Settings of the authorization service."""

    # The bearer secret of internal callers, shared with the core.
    internal_token: SecretStr = Field(min_length=32)
    # By which the proxy in front of us shows that it is the one that tells certificates of
    # clients. Without it nobody is believed.
    proxy_secret: SecretStr | None = Field(default=None, min_length=32)
    # Where clients reach the platform: what proofs of possession are made for, and who issues the
    # tokens that they belong to.
    public_url: PublicUrl = "http://127.0.0.1:8080"

    @property
    def origin(self) -> str:
        """The public URL without a path."""
        return issuer_of(self.public_url)


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
