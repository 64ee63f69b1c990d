"""The log of a process stays small, and that it cannot be written changes nothing."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

from cli.run.journal import Journal
from cli.run.logs import Log, keep_small
from cli.run.process import Child, Command, spawn
from cli.run.watchdog import Watchdog
from portico_kit.testing.waiting import eventually

LIMIT = 200_000
# Writes a numbered line every now and then, 64 bytes each, without end.
WRITER = """
import itertools, time
for number in itertools.count():
    print(f"{number:063}", flush=True)
    if number % 100 == 0:
        time.sleep(0.002)
"""


async def writing(folder: Path, watchdog: Watchdog) -> Child:
    """A child that fills its log."""
    arguments = (sys.executable, "-c", WRITER)
    return await spawn(Command("Writer", arguments, folder / "writer.log"), watchdog)


async def test_a_log_is_cut_and_what_it_held_last_is_kept(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    child = await writing(tmp_path, watchdog)
    keeping = asyncio.create_task(keep_small(lambda: [child.log], LIMIT))
    try:
        await eventually(child.log.previous.exists)
        cut = child.log.previous.read_bytes()
        await asyncio.sleep(1.5)
    finally:
        keeping.cancel()
        await child.kill()
    assert len(cut) > LIMIT // 4
    # Whole lines go on at the start of the file: no gap, as a remembered place would leave.
    first = child.log.path.read_bytes()[:64]
    assert len(first) == 64
    assert b"\0" not in first


async def test_a_log_without_a_name_is_cut_too_and_the_child_goes_on(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    folder = tmp_path / "logs"
    child = await writing(folder, watchdog)
    keeping = asyncio.create_task(keep_small(lambda: [child.log], LIMIT))
    try:
        shutil.rmtree(folder)
        for _ in range(5):
            await asyncio.sleep(0.5)
            assert not child.log.is_above(20 * LIMIT)
        assert child.exit_code is None
        assert not keeping.done()
    finally:
        keeping.cancel()
        await child.kill()


async def test_a_child_whose_log_cannot_be_opened_starts_all_the_same(
    tmp_path: Path, watchdog: Watchdog
) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "echo.log"
    child = await spawn(Command("Echo", ("/bin/echo", "hello"), path), watchdog)
    assert await child.wait() == 0
    assert child.log.error


def test_the_log_of_the_run_before_is_kept_and_that_of_a_restart_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    path.write_text("before\n")
    log = Log(path)
    assert log.previous.read_text() == "before\n"
    path.write_text("first\n")
    log.close()
    log.close()
    again = Log(path, fresh=False)
    again.close()
    assert path.read_text() == "first\n"


def test_nobody_who_reports_fails_where_nothing_can_be_written(tmp_path: Path) -> None:
    Journal(tmp_path / "gone" / "run.log").write("restarting")
    with Path("/dev/full").open("wb") as full:
        said = subprocess.run(
            [sys.executable, "-c", "from cli.run import console; console.say('Ready')"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (said.returncode, said.stderr) == (0, b"")
