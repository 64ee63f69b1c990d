"""The settings of the workers, from the environment (PORTICO_*)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from server.settings import SharedSettings


class WorkerSettings(SharedSettings):
    """What the workers are told beside what the core is told, too."""

    smtp_url: str = Field(default="smtp://127.0.0.1:1025", pattern=r"^smtps?://")
    mail_from: str = "Portico <no-reply@portico.localhost>"
    # How many tasks run at once. Deliveries do not count: they share one event loop.
    worker_concurrency: int = Field(default=8, ge=1, le=64)

    @property
    def schedule_file(self) -> Path:
        """Where beat remembers what ran when."""
        return self.state_dir / "beat-schedule"
