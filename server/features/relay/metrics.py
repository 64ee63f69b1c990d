"""What Prometheus reads of the relay (PORTICO_RELAY_METRICS_PORT)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RELAYED = Counter("portico_relay_events_total", "Events that the bus has confirmed", ["bus"])
SKIPPED = Counter(
    "portico_relay_skipped_total",
    "Events that were left out: larger than the bus takes, or no longer kept",
    ["bus"],
)
FAILURES = Counter(
    "portico_relay_failures_total", "Times that the bus or the database failed", ["bus"]
)
ACTIVE = Gauge("portico_relay_active", "1 where this process is the one that relays", ["bus"])
LAG_EVENTS = Gauge("portico_relay_lag_events", "Events that the bus does not have yet", ["bus"])
LAG_SECONDS = Gauge(
    "portico_relay_lag_seconds", "The age of the oldest event that the bus does not have", ["bus"]
)


def show(bus: str) -> None:
    """Shows a bus before anything has happened to it."""
    for counter in (RELAYED, SKIPPED, FAILURES):
        counter.labels(bus)
    for gauge in (ACTIVE, LAG_EVENTS, LAG_SECONDS):
        gauge.labels(bus)
