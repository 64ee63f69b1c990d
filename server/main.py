"""`portico core`: the gRPC core as a process."""

from __future__ import annotations

import asyncio

import structlog
import uvloop
from prometheus_client import start_http_server
from sqlalchemy.exc import OperationalError

from portico_kit.background import cancel
from portico_kit.gc import freeze_startup_objects
from portico_kit.logs import configure
from portico_kit.rpc.server import pipeline_server
from portico_kit.settings import read
from portico_kit.signals import stop_signal
from portico_kit.start import StartError, one_line, require_free
from server.core import build
from server.features.auth.signing_keys import SealedOtherwiseError
from server.settings import Settings

log = structlog.get_logger("core")


def main() -> None:
    """Runs the core until SIGTERM or SIGINT; a wrong setting is one clear line."""
    settings = read(Settings)
    configure("core", settings.log_level)
    with one_line("core"):
        try:
            uvloop.run(serve(settings))
        except SealedOtherwiseError as error:
            raise StartError(str(error)) from None
        except OperationalError as error:
            reason = " ".join(str(error.orig).split())
            raise StartError(
                f"the database does not answer ({reason}): check PORTICO_DATABASE_URL"
            ) from None


async def serve(settings: Settings) -> None:
    """Starts, waits for a signal, stops: calls under way get a few seconds to finish."""
    core = build(settings)
    server = pipeline_server(settings.grpc_engine, core.pipeline, core.services)
    stop = stop_signal()
    try:
        await core.prepare()
        await server.listen_unix(settings.socket("core"))
        port = await server.listen_tcp(settings.grpc_host, settings.grpc_port)
        if settings.metrics_port is not None:
            require_free("127.0.0.1", settings.metrics_port, "PORTICO_METRICS_PORT")
            start_http_server(settings.metrics_port, addr="127.0.0.1")
        log.info("started", grpc_port=port, engine=settings.grpc_engine)
        freeze_startup_objects()
        upkeep = [asyncio.create_task(job()) for job in core.background]
        await stop.wait()
        await cancel(*upkeep)
        await server.stop()
        log.info("stopped")
    finally:
        await core.close()
