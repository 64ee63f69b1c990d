"""A disk without room: writes are refused, reads go on, and nothing is lost."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from portico_kit.testing.waiting import wait_until
from tests.cli.running import Run, running

DISK_MEGABYTES = 220  # a new platform takes fifty
CHUNK_BYTES = 65_536
GOOD_AGAIN_SECONDS = 60


@pytest.fixture
def small_disk(short_folder: Path) -> Iterator[Path]:
    """A file system with little room."""
    folder = short_folder / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def run(small_disk: Path) -> Iterator[Run]:
    """A platform whose state lies on it."""
    with running(small_disk / "state") as platform:
        yield platform


def register(run: Run, number: int) -> tuple[int, str | None]:
    """Registers somebody, from an address of their own: the status and Retry-After."""
    body = {
        "email": f"person{number}@example.com",
        "password": "a long enough phrase",
        "displayName": "Ada",
        "acceptedTerms": True,
    }
    headers = {"Content-Type": "application/json", "X-Forwarded-For": f"10.8.0.{number}"}
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(run.environment["PORTICO_REST_PORT"]), timeout=15
    )
    try:
        connection.request("POST", "/api/v1/auth/register", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Retry-After"]
    finally:
        connection.close()


def fill(path: Path) -> None:
    """Takes all the room that there is."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * CHUNK_BYTES):
                pass
        except OSError:
            return


def test_a_full_disk_refuses_writes_loses_nothing_and_is_good_again_by_itself(
    run: Run, small_disk: Path
) -> None:
    assert register(run, 0)[0] == 201
    fill(small_disk / "filling")
    answers = {number: register(run, number) for number in range(1, 30)}
    accepted = [number for number, (status, _) in answers.items() if status == 201]
    refused = [answer for answer in answers.values() if answer[0] != 201]
    assert refused
    assert {status for status, _ in refused} == {503}
    assert all(retry_after for _, retry_after in refused)
    (small_disk / "filling").unlink()
    wait_until(lambda: register(run, 100)[0] in (201, 409), GOOD_AGAIN_SECONDS)
    assert not run.ended
    assert {register(run, number)[0] for number in (0, *accepted)} == {409}
