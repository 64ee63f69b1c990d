"""`python -m server.migrations.autogenerate MESSAGE`: drafts a migration from the models.

It holds the models against the database of PORTICO_DATABASE_URL, which must be
at the newest revision. The draft is to be read, and corrected, before it is kept.
"""

from __future__ import annotations

import os
import sys

from alembic import command

from server.migrations import FOLDER, config


def main() -> None:
    """Writes versions/NNNN_message.py."""
    number = len(list((FOLDER / "versions").glob("[0-9]*.py"))) + 1
    command.revision(
        config(os.environ["PORTICO_DATABASE_URL"]),
        message=sys.argv[1],
        rev_id=f"{number:04}",
        autogenerate=True,
    )


if __name__ == "__main__":
    main()
