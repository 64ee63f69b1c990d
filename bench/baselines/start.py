"""Starts the baselines of a REST read, on the platform's own database and Valkey."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import jwt

import portico_contract
from bench.measure import Service
from bench.processes import listening, process
from cli.run.state import load_secrets
from edge.gateway.main import find_envoy
from edge.gateway.settings import EnvironmentSettings
from edge.gateway.transcoding import transcoder_filter
from edge.gateway.typed import Json, extension, typed
from portico_kit.secrets import Secrets
from portico_kit.testing.ports import free_ports
from portico_kit.tokens import new_token
from tests.node import node_modules
from tests.stack import Stack
from tests.support.openid import PACKAGE

PROVIDER = Path(__file__).parent / "oidc_provider.mjs"
PEPPER = "api-key"
REFRESH_PEPPER = "refresh-token"
# As the multiplier of the organizations' limits: the decision is made and is always yes.
LIMIT_SCALE = 1000
# What the constant service needs to be there; Envoy connects at the first request.
START_SECONDS = 2
UVICORN = ("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")
HTTP2_OPTIONS = "extensions.upstreams.http.v3.HttpProtocolOptions"


@asynccontextmanager
async def fastapi(stack: Stack, token: str) -> AsyncIterator[Service]:
    """FastAPI behind one uvicorn worker; it knows the key that signed `token`."""
    [port] = free_ports(1)
    app = "bench.baselines.fastapi_service:app"
    command = (sys.executable, "-m", "uvicorn", app, "--port", str(port), *UVICORN)
    environment = {
        "PORTICO_DATABASE_URL": stack.database_url,
        "PORTICO_REDIS_URL": f"unix://{stack.settings.runtime_dir}/valkey.sock",
        "BENCH_PUBLIC_KEY": await _public_key(stack, token),
        "BENCH_PEPPER": secrets_of(stack).derive(PEPPER).hex(),
        "BENCH_REFRESH_PEPPER": secrets_of(stack).derive(REFRESH_PEPPER).hex(),
        "BENCH_LIMIT_SCALE": str(LIMIT_SCALE),
    }
    async with process(*command, environment=environment) as pid:
        await listening(port)
        shared = {name: stack.pid(name) for name in ("postgres", "valkey")}
        yield Service("FastAPI", port, {"uvicorn": pid, **shared})


@asynccontextmanager
async def bare_envoy(folder: Path) -> AsyncIterator[Service]:
    """Envoy with a transcoder and a router, before a service that always says the same."""
    [port] = free_ports(1)
    core, config = folder / "constant.sock", folder / "bare.json"
    config.write_text(json.dumps(bare_config(port, core)))
    serve = (sys.executable, "-m", "bench.baselines.constant", str(core))
    envoy = (
        *(str(find_envoy()), "--config-path", str(config), "--concurrency", "1"),
        *("--disable-hot-restart", "--log-level", "error"),
    )
    async with (
        process(*serve, environment={}) as core_pid,
        process(*envoy, environment={}) as envoy_pid,
    ):
        await listening(port)
        await asyncio.sleep(START_SECONDS)
        yield Service("bare Envoy", port, {"envoy": envoy_pid, "service": core_pid})


@asynccontextmanager
async def oidc_provider(folder: Path) -> AsyncIterator[tuple[Service, str]]:
    """The npm package oidc-provider in one process, and the secret of its client."""
    [port] = free_ports(1)
    secret, home = new_token(), folder / "provider"
    await asyncio.to_thread(_lay_out, home)
    environment = {"PORT": str(port), "CLIENT_SECRET": secret, "NODE_ENV": "production"}
    serve = ("node", str(home / PROVIDER.name))
    async with process(*serve, environment=environment) as pid:
        await listening(port)
        yield Service("oidc-provider", port, {"node": pid}), secret


def _lay_out(home: Path) -> None:
    """The provider beside the packages that it needs."""
    home.mkdir()
    shutil.copy(PROVIDER, home)
    (home / "node_modules").symlink_to(node_modules(PACKAGE))


def bare_config(port: int, core: Path) -> Json:
    """The configuration of an Envoy that transcodes accounts, and does nothing beside that."""
    users = [
        method
        for method in portico_contract.load(portico_contract.CONTRACT_FILE).routed
        if method.service == "portico.users.v1.UserService"
    ]
    connection = extension(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="bare",
        route_config={
            "virtual_hosts": [
                {
                    "name": "bare",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "core"}}],
                }
            ]
        },
        http_filters=[
            transcoder_filter(users, EnvironmentSettings()),
            extension("envoy.filters.http.router", "extensions.filters.http.router.v3.Router"),
        ],
    )
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"address": address, "filter_chains": [{"filters": [connection]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [_cluster(core)]}}


def _cluster(core: Path) -> Json:
    http2 = typed(HTTP2_OPTIONS, explicit_http_config={"http2_protocol_options": {}})
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(core)}}}}
    return {
        "name": "core",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "core", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {f"envoy.{HTTP2_OPTIONS}": http2},
    }


def secrets_of(stack: Stack) -> Secrets:
    """What the platform derives from its secret key."""
    return Secrets.from_base64(load_secrets(stack.settings.state_dir)["PORTICO_SECRET_KEY"])


async def _public_key(stack: Stack, token: str) -> str:
    """The published key that signed a token, as JSON."""
    wanted = jwt.get_unverified_header(token)["kid"]
    url = f"{stack.base_url}/.well-known/jwks.json"
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        [key] = [each for each in (await answer.json())["keys"] if each["kid"] == wanted]
    return json.dumps(key)
