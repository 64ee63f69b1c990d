"""`portico health PART`: whether a part of this machine serves, by the word of the part itself.

A socket that takes connections does not show it: a process that hangs has one, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cli.run.errors import RunError
from cli.run.parts import PARTS
from cli.run.probes import request, unix_request
from cli.run.settings import read_settings

TIMEOUT_SECONDS = 2.0
READY_PATH = "/api/v1/health/ready"
HEALTH_PATH = "/health"
# What has no health service of gRPC.
OVER_HTTP = ("web", "stream")
SOCKETS = {part.name: part.socket for part in PARTS if part.socket}


def main(part: str) -> int:
    """Asks a part.

    Returns:
        0 if it serves, 1 with a line that says why not, 2 if there is no such part.
    """
    try:
        settings = read_settings(os.environ)
        if part == "gateway":
            status, body = request(settings.rest_address, settings.rest_port, "GET", READY_PATH)
            problem = "" if status == 200 else f"{status or 'no answer'}: {body}"
        elif part in OVER_HTTP:
            status, body = unix_request(settings.runtime_dir / SOCKETS[part], "GET", HEALTH_PATH)
            problem = "" if status == 200 else f"{status or 'no answer'}: {body}"
        elif socket := SOCKETS.get(part):
            problem = unhealthy(settings.runtime_dir / socket)
        else:
            print(
                f"portico health: give one of {', '.join((*SOCKETS, 'gateway'))}", file=sys.stderr
            )
            return 2
    except RunError as error:
        problem = str(error)
    if problem:
        print(f"portico health: {part} does not serve ({problem})", file=sys.stderr)
    return 1 if problem else 0


def unhealthy(path: Path) -> str:
    """Why a part does not serve, in the words of gRPC's health service; empty if it does."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"unix:{path}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"
        name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    return "" if name == "SERVING" else name
