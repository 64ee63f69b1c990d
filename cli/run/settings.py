"""What `portico run` reads from the environment, and what its children are told.

Plain dataclasses, not pydantic-settings: the supervisor lives as long as the
platform does and should weigh next to nothing.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.run.errors import RunError
from portico_kit.mail_server import smtp_url

# The kernel refuses longer addresses of unix sockets (108 bytes on Linux, 104 on macOS).
MAX_SOCKET_PATH = 100
LONGEST_SOCKET = "run/envoy-admin.sock"
LOOPBACK = "127.0.0.1"
ANY_ADDRESS = {"0.0.0.0": LOOPBACK, "::": "::1"}  # noqa: S104 - what we do not connect to
# The contract is not read here: what reads it would stay in memory; see portico_contract.reading.
# Each names a bus for the relay.
BUSES = ("PORTICO_RELAY_KAFKA_SERVERS", "PORTICO_RELAY_REDIS_URL")
MAX_CALL_SECONDS = 300.0
ENVIRONMENTS = ("development", "production")
LOG_LEVELS = ("info", "debug", "warning", "error")


@dataclass(frozen=True)
class Settings:
    """Where the platform lives, what it listens on, and which servers it brings along.

    A `database_url` or `redis_url` of None means: start an embedded server; `relay` says
    whether there is a bus that events are relayed to.
    """

    environment: str
    state_dir: Path
    sockets_dir: Path
    runtime_dir: Path
    database_url: str | None
    redis_url: str | None
    relay: bool
    rest_host: str
    rest_port: int
    grpc_host: str
    grpc_port: int
    mailbox_host: str
    mailbox_port: int
    smtp_url: str
    log_level: str
    stop_delay: float
    request_timeout: float
    log_megabytes: float

    @property
    def development(self) -> bool:
        """Whether this is a developer's machine."""
        return self.environment == "development"

    @property
    def stop_seconds(self) -> float:
        """How long the gateway may take to stop; see edge/gateway/launcher.py.

        No less than the longest time that a method can name. A gateway whose contract names
        less, or that hangs, ends earlier by itself.
        """
        return self.stop_delay + max(self.request_timeout, MAX_CALL_SECONDS)

    @property
    def mailbox(self) -> bool:
        """Whether mail goes to the mailbox: only in development, unless it is sent elsewhere."""
        return self.development and urlsplit(self.smtp_url).hostname in ("127.0.0.1", "localhost")

    @property
    def smtp_port(self) -> int:
        """The port on which mail is handed over."""
        return urlsplit(self.smtp_url).port or 25

    @property
    def logs_dir(self) -> Path:
        """The folder with one log per process."""
        return self.state_dir / "logs"

    @property
    def base_url(self) -> str:
        """Where the REST edge answers on this machine."""
        return f"http://{bracketed(self.rest_address)}:{self.rest_port}"

    @property
    def mailbox_url(self) -> str:
        """Where the mailbox answers on this machine."""
        return f"http://{bracketed(within(self.mailbox_host))}:{self.mailbox_port}"

    @property
    def rest_address(self) -> str:
        """The address at which this machine reaches the REST edge."""
        return within(self.rest_host)

    @property
    def grpc_address(self) -> str:
        """The address and port at which this machine reaches the core."""
        return f"{bracketed(within(self.grpc_host))}:{self.grpc_port}"

    def listeners(self) -> dict[str, tuple[str, int]]:
        """The TCP addresses that must be free, by the variable that moves their port."""
        ports = {
            "PORTICO_REST_PORT": (self.rest_host, self.rest_port),
            "PORTICO_GRPC_PORT": (self.grpc_host, self.grpc_port),
        }
        if self.mailbox:
            ports["PORTICO_MAILBOX_PORT"] = (self.mailbox_host, self.mailbox_port)
            ports["PORTICO_SMTP_URL"] = (self.mailbox_host, self.smtp_port)
        return ports


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Reads PORTICO_* from `environ`.

    Raises:
        RunError: if values make no sense, with a line for each.
    """
    state_dir = Path(environ.get("PORTICO_STATE_DIR") or ".portico").absolute()
    sockets_dir = short_folder(state_dir)
    wrong: list[str] = []

    def read(reader: Callable[..., Any], *arguments: object) -> Any:
        """What a reader gives; what it raises is kept until everything has been read."""
        try:
            return reader(environ, *arguments)
        except RunError as error:
            wrong.append(str(error))

    settings = Settings(
        environment=read(choice, "PORTICO_ENVIRONMENT", ENVIRONMENTS),
        state_dir=state_dir,
        sockets_dir=sockets_dir,
        runtime_dir=Path(environ.get("PORTICO_RUNTIME_DIR") or sockets_dir / "run").absolute(),
        database_url=environ.get("PORTICO_DATABASE_URL") or None,
        redis_url=environ.get("PORTICO_REDIS_URL") or None,
        relay=any(map(environ.get, BUSES)),
        rest_host=read(address, "PORTICO_REST_HOST"),
        rest_port=read(port, "PORTICO_REST_PORT", 8080),
        grpc_host=environ.get("PORTICO_GRPC_HOST") or LOOPBACK,
        grpc_port=read(port, "PORTICO_GRPC_PORT", 9090),
        mailbox_host=read(address, "PORTICO_MAILBOX_HOST"),
        mailbox_port=read(port, "PORTICO_MAILBOX_PORT", 8025),
        smtp_url=read(mail_server),
        log_level=read(choice, "PORTICO_LOG_LEVEL", LOG_LEVELS),
        stop_delay=read(number, "PORTICO_STOP_DELAY", 0, 300),
        request_timeout=read(number, "PORTICO_REQUEST_TIMEOUT", 10, 300),
        log_megabytes=read(number, "PORTICO_LOG_MEGABYTES", 50, 1_000_000),
    )
    if wrong:
        raise RunError.of(wrong)
    return settings


def short_folder(state_dir: Path) -> Path:
    """The state folder or, where its path is too long for sockets, one in the temporary folder."""
    if len(os.fsencode(state_dir / LONGEST_SOCKET)) <= MAX_SOCKET_PATH:
        return state_dir
    mark = hashlib.sha256(os.fsencode(state_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"portico-{os.getuid()}-{mark}"


def port(environ: Mapping[str, str], name: str, default: int) -> int:
    """A TCP port from the environment."""
    value = environ.get(name) or str(default)
    if not value.isdecimal() or not 1 <= int(value) <= 65535:
        raise RunError(f"{name} is {value!r}: give a port from 1 to 65535")
    return int(value)


def number(environ: Mapping[str, str], name: str, default: float, most: float) -> float:
    """A number from the environment, above 0 unless that is the default."""
    value = environ.get(name) or str(default)
    try:
        given = float(value)
    except ValueError:
        given = -1
    if not (0 < given <= most or given == default):
        raise RunError(f"{name} is {value!r}: give a number up to {most:g}")
    return given


def address(environ: Mapping[str, str], name: str) -> str:
    """An IP address from the environment."""
    value = environ.get(name) or LOOPBACK
    try:
        return str(ip_address(value))
    except ValueError:
        raise RunError(
            f"{name} is {value!r}: give an IP address, such as 127.0.0.1, ::1 or 0.0.0.0"
        ) from None


def mail_server(environ: Mapping[str, str]) -> str:
    """The URL of the mail server."""
    try:
        return smtp_url(environ.get("PORTICO_SMTP_URL") or "smtp://127.0.0.1:1025")
    except ValueError as error:
        raise RunError(f"PORTICO_SMTP_URL: {error}") from None


def within(host: str) -> str:
    """The address at which this machine reaches what listens on `host`."""
    return ANY_ADDRESS.get(host, host)


def bracketed(host: str) -> str:
    """A host as a URL has it."""
    return f"[{host}]" if ":" in host else host


def choice(environ: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words; the first if nothing is set."""
    value = environ.get(name) or allowed[0]
    if value not in allowed:
        raise RunError(f"{name} is {value!r}: give one of {', '.join(allowed)}")
    return value
