"""What every connection to PostgreSQL has in common, for who loads no ORM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONNECT_TIMEOUT = 2  # seconds
STATEMENT_TIMEOUT = 10_000  # milliseconds
# The time-out in milliseconds and the probes after so many idle seconds end a connection whose
# other side has gone without a word; nothing else would, for minutes.
CONNECTION: Mapping[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "options": f"-c statement_timeout={STATEMENT_TIMEOUT} -c timezone=UTC",
    "tcp_user_timeout": 5_000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
