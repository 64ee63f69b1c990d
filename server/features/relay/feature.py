"""The relay: events on the operator's bus. Its process is `portico relay`."""

from __future__ import annotations

from server.feature import Feature, Tables


def _tables() -> Tables:
    from server.features.relay.models import Relay, RelayPosition

    return Tables(models=(Relay, RelayPosition))


FEATURE = Feature(name="relay", tables=_tables)
