"""What the gateway can be told: where things are, and how generous it is."""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator

from portico_kit.oauth_metadata import issuer_of
from portico_kit.public_url import PublicUrl
from portico_kit.settings import Names, PlatformSettings

ROOT = Path(__file__).resolve().parent.parent.parent

SCRIPTS = ("request.lua", "envelope.lua", "body.lua", "strict_json.lua", "contract.lua")
LONGEST_SOCKET = "envoy-admin.sock"
SOCKET_PATH_BYTES = 107  # what the kernel takes

Port = Annotated[int, Field(ge=1, le=65535)]


def _address(value: object) -> IPv4Address | IPv6Address:
    try:
        return ip_address(str(value))
    except ValueError:
        raise ValueError("give an IP address, such as 127.0.0.1, ::1 or 0.0.0.0") from None


Host = Annotated[IPv4Address | IPv6Address, BeforeValidator(_address)]


class GatewaySettings(BaseModel):
    """The settings that shape the Envoy configuration.

    Attributes:
        runtime_dir: the folder of the unix sockets.
        transcoder_file: the descriptor set that the transcoder reads.
        lua_dir: the folder of the scripts.
        openapi_file: the document served at /api/v1/openapi.json.
        access_log: where the JSON access log goes.
        rest_host: the address to listen on.
        concurrency: the number of Envoy's worker threads.
        issuer: the iss claim that tokens of sessions must carry.
        public_url: where clients reach the platform; OAuth tokens are issued by it, and for it.
        cors_origins: the origins whose pages may call the API.
        trusted_hops: how many proxies in front of us may name the client's address.
        proxy_secret: by which the proxy in front shows that it may tell certificates of
            clients; without it what is said of certificates goes no further than here.
        address_rate: requests a second that one client address may make before
            anything else is looked at; bursts of twice as many pass.
        request_timeout: how long a call may take, in seconds.
        jwks_cache: how long published keys are kept, in seconds.
        limiter_timeout: how long the limiter may take to decide, in seconds; after
            that a call counts as one that could not be counted.
        stop_delay: how long a gateway that is asked to stop goes on accepting while it
            calls itself not ready, in seconds.
    """

    runtime_dir: Path
    transcoder_file: Path
    lua_dir: Path
    openapi_file: Path
    access_log: Path = Path("/dev/stdout")
    rest_host: Host = IPv4Address("127.0.0.1")
    rest_port: Port = 8080
    concurrency: int = Field(default=1, ge=1, le=256)
    issuer: str = Field(default="portico", min_length=1)
    public_url: PublicUrl = "http://127.0.0.1:8080"
    cors_origins: Names = ()
    trusted_hops: int = Field(default=0, ge=0, le=10)
    proxy_secret: SecretStr | None = Field(default=None, min_length=32)
    address_rate: int = Field(default=500, ge=1)
    request_timeout: float = Field(default=10, gt=0, le=300)
    jwks_cache: float = Field(default=30, gt=0)
    limiter_timeout: float = Field(default=0.25, gt=0, le=10)
    stop_delay: float = Field(default=0, ge=0, le=300)

    @property
    def origin(self) -> str:
        """The public URL without a path: issuer and audience of OAuth tokens."""
        return issuer_of(self.public_url)

    @property
    def admin_socket(self) -> Path:
        """Where Envoy is administrated."""
        return self.runtime_dir / LONGEST_SOCKET

    @property
    def files(self) -> tuple[Path, ...]:
        """What Envoy reads beside its configuration."""
        scripts = (self.lua_dir / name for name in SCRIPTS)
        return (self.transcoder_file, self.openapi_file, *scripts)

    @field_validator("runtime_dir")
    @classmethod
    def _room_for_sockets(cls, folder: Path) -> Path:
        if len(os.fsencode(folder / LONGEST_SOCKET)) > SOCKET_PATH_BYTES:
            raise ValueError(f"the path is too long for unix sockets: {folder}")
        return folder

    @field_validator("cors_origins")
    @classmethod
    def _no_wildcard(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        """Refuses "*": with credentials allowed it would hand every page the API."""
        for origin in origins:
            if not origin.startswith(("https://", "http://")) or origin.endswith("/"):
                raise ValueError(f"{origin!r} is not an origin such as https://app.example.com")
        return origins


class EnvironmentSettings(GatewaySettings, PlatformSettings):
    """The settings of a gateway started by hand or by `portico run`: PORTICO_* variables."""

    runtime_dir: Path = Field(default_factory=lambda data: data["state_dir"] / "run")
    transcoder_file: Path = ROOT / "envoy" / "transcoder.binpb"
    lua_dir: Path = ROOT / "envoy"
    openapi_file: Path = ROOT / "generated" / "openapi.json"


def container_settings() -> GatewaySettings:
    """The settings of the committed envoy.yaml, for the official Envoy image."""
    files = Path("/etc/portico")
    return GatewaySettings(
        runtime_dir=Path("/run/portico"),
        transcoder_file=files / "transcoder.binpb",
        lua_dir=files,
        openapi_file=files / "openapi.json",
        rest_host=IPv4Address("0.0.0.0"),  # noqa: S104 (inside a container)
    )
