"""Settings of the pages, from the environment (`PORTICO_*`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import Field, SecretStr, field_validator

from edge.web.brand import checked_color, checked_logo
from edge.web.redirects import ReturnPlace
from portico_kit.settings import LogLevel, Names, PlatformSettings


class WebSettings(PlatformSettings):
    """Settings of the process that serves the pages."""

    # The bearer secret of internal callers, shared with the core.
    internal_token: SecretStr = Field(min_length=32)
    # By which the proxy in front of us shows that it is the one that tells certificates of
    # clients. Without it nobody is believed.
    proxy_secret: SecretStr | None = Field(default=None, min_length=32)
    log_level: LogLevel = "info"
    public_url: str = "http://127.0.0.1:8080"
    # How the product is called on the pages.
    product_name: str = Field(default="Portico", min_length=1, max_length=50)
    # An SVG or PNG file.
    logo_file: Path | None = None
    brand_color: str = "#1f5fd0"
    # Who carries text messages; without anybody, codes by SMS are not offered.
    sms_provider: Literal["none", "twilio", "phonebox"] = "none"
    # Takes the applications that come by themselves; set, the discovery documents say that a
    # client may describe itself in a document.
    registration_organization: UUID | None = None
    # Where a person may be sent after signing in, beside the pages themselves.
    return_urls: Names = ()

    @property
    def core_socket(self) -> Path:
        """Where the core listens."""
        return self.socket("core")

    @property
    def web_socket(self) -> Path:
        """Where the pages are served."""
        return self.socket("web")

    @field_validator("brand_color")
    @classmethod
    def _is_readable(cls, value: str) -> str:
        return checked_color(value)

    @field_validator("logo_file")
    @classmethod
    def _is_a_logo(cls, value: Path | None) -> Path | None:
        return None if value is None else checked_logo(value)

    @field_validator("return_urls")
    @classmethod
    def _are_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for url in value:
            ReturnPlace.parse(url)
        return value
