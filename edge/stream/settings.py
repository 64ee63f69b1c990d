"""Settings of the process that writes streams, from the environment (`PORTICO_*`)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from portico_kit.oauth_metadata import issuer_of
from portico_kit.public_url import PublicUrl
from portico_kit.settings import Names, ProcessSettings


class StreamSettings(ProcessSettings):
    """Settings of the process that writes streams."""

    # The bearer secret of internal callers, shared with the core.
    internal_token: SecretStr = Field(min_length=32)
    # Its pages may open a WebSocket, and those of the origins that may call the API.
    public_url: PublicUrl = "http://127.0.0.1:8080"
    cors_origins: Names = ()

    @property
    def core_socket(self) -> Path:
        """Where the core listens."""
        return self.socket("core")

    @property
    def stream_socket(self) -> Path:
        """Where streams are served."""
        return self.socket("stream")

    @property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may open a WebSocket."""
        return frozenset((issuer_of(self.public_url), *self.cors_origins))
