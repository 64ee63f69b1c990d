"""The settings of the workers, from the environment (PORTICO_*)."""

from __future__ import annotations

from email.utils import parseaddr
from pathlib import Path

from portico_kit.settings import SmtpUrl
from pydantic import Field, field_validator

from server.settings import SharedSettings


class WorkerSettings(SharedSettings):
    """What the workers are told beside what the core is told, too."""

    smtp_url: SmtpUrl = "smtp://127.0.0.1:1025"
    mail_from: str = "Portico <no-reply@portico.localhost>"
    # How many tasks run at once. Deliveries do not count: they share one event loop.
    worker_concurrency: int = Field(default=8, ge=1, le=64)

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
