"""The settings of the workers, from the environment (PORTICO_*)."""

from __future__ import annotations

from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from server.settings import SharedSettings


class WorkerSettings(SharedSettings):
    """What the workers are told beside what the core is told, too."""

    smtp_url: str = "smtp://127.0.0.1:1025"
    mail_from: str = "Portico <no-reply@portico.localhost>"
    # How many tasks run at once. Deliveries do not count: they share one event loop.
    worker_concurrency: int = Field(default=8, ge=1, le=64)

    @field_validator("smtp_url")
    @classmethod
    def _names_a_host(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            good = parts.scheme in ("smtp", "smtps") and parts.hostname and parts.port != 0
        except ValueError:
            good = False
        if not good:
            raise ValueError("give smtp://host:port or smtps://host:port")
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if "@" not in parseaddr(value)[1] or not value.isprintable():
            raise ValueError('it is no address, as in "Portico <no-reply@example.com>"')
        return value

    @property
    def schedule_file(self) -> Path:
        """Where beat remembers what ran when."""
        return self.state_dir / "beat-schedule"
