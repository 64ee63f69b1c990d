"""The tasks of the feature, by the names that Celery knows."""

from __future__ import annotations

# Fetches the logos that are due.
LOGOS_TASK = "portico.applications.fetch_logos"
