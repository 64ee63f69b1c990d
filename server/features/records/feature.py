"""What every call may write: the tables, and when their rows are over."""

from __future__ import annotations

from server.feature import Feature, Tables


def _tables() -> Tables:
    from server.common.records import AuditEntry, Event, EventSequence, IdempotentAnswer
    from server.features.records import cleanup

    return Tables(
        models=(AuditEntry, Event, EventSequence, IdempotentAnswer),
        cleanup={"idempotency_keys": cleanup.delete_answers, "events": cleanup.delete_events},
    )


FEATURE = Feature(name="records", tables=_tables)
