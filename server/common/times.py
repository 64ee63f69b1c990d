"""How long what is over is kept, and how often the workers look for what is due."""

from __future__ import annotations

from datetime import timedelta

# Events, mails and deliveries that have ended.
KEPT = timedelta(days=30)
# A sweep finds what a lost notification left behind, and retries when they are due.
SWEEP = timedelta(seconds=5)
