"""How long what is over is kept, and how often the workers look for what is due."""

from __future__ import annotations

from datetime import timedelta

# Events (as anybody is shown them), mails and deliveries that have ended.
KEPT = timedelta(days=30)
# The rows of events: what is posted is made from them, and the delivery of an old one that
# is sent again has ten days to arrive.
EVENTS_KEPT = KEPT + timedelta(days=10)
# A sweep finds what a lost notification left behind, and retries when they are due.
SWEEP = timedelta(seconds=5)
