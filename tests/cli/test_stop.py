"""A stop cuts no request: what was accepted is answered, and what is not is refused."""

from __future__ import annotations

import asyncio
import json
import signal
import time

from tests.cli.conftest import Launch
from tests.cli.load import ANSWERED, CUT, REFUSED, Load
from tests.cli.running import Run

STOP_DELAY = 3.0
# So much that a sign-in takes a while, and some are always in flight.
BCRYPT_ROUNDS = "9"


async def test_a_stop_under_load_answers_what_was_accepted_and_cuts_nothing(
    launch: Launch,
) -> None:
    run = launch("run", PORTICO_STOP_DELAY=str(STOP_DELAY), PORTICO_BCRYPT_ROUNDS=BCRYPT_ROUNDS)
    await asyncio.to_thread(run.wait_ready)
    ports = (int(run.environment[f"PORTICO_{name}_PORT"]) for name in ("REST", "GRPC"))
    async with Load(*ports) as load:
        await asyncio.sleep(3)
        assert load.seen[REFUSED] == load.seen[CUT] == 0, load.cuts
        before = load.seen[ANSWERED]
        run.send(signal.SIGTERM)
        # It says so first, and goes on accepting for as long as it was told to.
        await asyncio.sleep(STOP_DELAY / 3)
        assert load.seen[REFUSED] == 0
        assert load.seen[ANSWERED] > before
        assert await readiness(run) == 503
        began = time.monotonic()
        assert await asyncio.to_thread(run.wait) == 0, run.output
        assert time.monotonic() - began < 30
        await asyncio.sleep(0.5)
    assert load.cuts == []
    assert load.seen[CUT] == 0
    assert load.seen[REFUSED] > 0
    taken = taken_by_the_core(run)
    assert len(taken) > before / 2  # it is the log that would know
    assert [said for request_id, said in load.crossed.items() if request_id in taken] == []


def taken_by_the_core(run: Run) -> set[str]:
    """The ids of the requests that it has worked on; a wrong sign-in is always logged."""
    lines = (run.folder / "logs" / "core.log").read_text().splitlines()
    entries = (json.loads(line) for line in lines if line.startswith("{"))
    return {entry["request_id"] for entry in entries if entry.get("event") == "call"}


async def readiness(run: Run) -> int:
    """The status of the question whether the platform is ready, on a new connection."""
    port = int(run.environment["PORTICO_REST_PORT"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/v1/health/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b'"code":"UNAVAILABLE"' in answer, answer
    return int(answer.split()[1])
