"""The tasks of the feature, by the names that Celery knows."""

from __future__ import annotations

# Sends the deliveries that are due.
DELIVERY_TASK = "portico.webhooks.deliver_due"
# Lets webhooks that cannot keep up fall behind, and catch up.
BACKLOG_TASK = "portico.webhooks.look_after_backlog"
# Warns of webhooks that are failing, and disables them at last.
FAILING_TASK = "portico.webhooks.look_after_failing"
# Goes on with the replays.
REPLAY_TASK = "portico.webhooks.go_on_with_replays"
