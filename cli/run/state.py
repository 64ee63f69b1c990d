"""The folders of a platform on disk: who owns them now, and the secrets kept in them."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.run.errors import RunError
from cli.run.process import alive
from cli.run.settings import Settings

SECRETS = ("PORTICO_SECRET_KEY", "PORTICO_INTERNAL_TOKEN")
PRIVATE = 0o700
# Others may pass through the state folder, not look into it: run by root, PostgreSQL
# belongs to another account and must reach its own folder.
PASSABLE = 0o711
LEFTOVER_SECONDS = 20


@contextmanager
def owned_state(settings: Settings) -> Iterator[int]:
    """Makes the folders and holds their lock; gives the lock's file descriptor.

    The kernel lets go of the lock when the last holder of the descriptor ends.

    Raises:
        RunError: if another `portico run` uses the same state folder.
    """
    prepare_folders(settings)
    descriptor = os.open(settings.state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        take_lock(descriptor, settings.state_dir)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def prepare_folders(settings: Settings) -> None:
    """Makes every folder with the narrowest mode that works."""
    for folder, mode in (
        (settings.state_dir, PASSABLE),
        (settings.sockets_dir, PASSABLE),
        (settings.runtime_dir, PRIVATE),
        (settings.logs_dir, PRIVATE),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if folder == settings.sockets_dir != settings.state_dir:
                # Before anything is done to it: it could be a link to a folder of ours.
                require_ours(folder)
            folder.chmod(mode)
        except OSError as error:
            raise RunError(
                f"cannot use the folder {folder} ({error.strerror}): "
                "make it writable or set PORTICO_STATE_DIR"
            ) from error


def require_ours(folder: Path) -> None:
    """Refuses a folder that somebody else made: in a shared place its name can be guessed."""
    facts = folder.lstat()
    if facts.st_uid != os.geteuid() or not stat.S_ISDIR(facts.st_mode):
        raise RunError(f"{folder} belongs to somebody else: set PORTICO_RUNTIME_DIR")


def take_lock(descriptor: int, state_dir: Path) -> None:
    """Takes the lock, waiting only for what a killed run left to end."""
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode()
            if alive(holder) or time.monotonic() > deadline:
                raise RunError(
                    f"another `portico run` (process {holder}) uses {state_dir}: "
                    "stop it or set PORTICO_STATE_DIR"
                ) from None
            time.sleep(0.1)
        else:
            return


def load_secrets(state_dir: Path) -> dict[str, str]:
    """The secrets of this platform, made the first time and the same ever after."""
    file = state_dir / "secrets.env"
    if not file.exists():
        write_secrets(file)
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def write_secrets(file: Path) -> None:
    """Writes new secrets in one step: a reader sees all of them or no file."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.writelines(f"{name}={new_secret()}\n" for name in SECRETS)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(file)


def new_secret() -> str:
    """Base64 of 32 random bytes."""
    return base64.b64encode(secrets.token_bytes(32)).decode()
