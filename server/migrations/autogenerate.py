"""`python -m server.migrations.autogenerate MESSAGE`: drafts a revision from the models.

It compares the models with the database of PORTICO_DATABASE_URL, which must be
at the newest revision. The draft is to be read, and corrected, before it is kept.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from server.migrations import config, draft


def main() -> None:
    """Writes versions/YYYY_MM_DD_HHMM_message.py."""
    draft(config(os.environ["PORTICO_DATABASE_URL"]), sys.argv[1], datetime.now(UTC))


if __name__ == "__main__":
    main()
