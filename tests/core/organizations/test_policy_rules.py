"""When a requirement of a second factor begins, and whom it concerns: the rules alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portico_kit.errors import InvalidRequestError
from server.features.organizations.policy_rules import begins_at, concerns, reminded_at

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("wanted", "present", "begins"),
    [
        (None, None, NOW),
        (NOW - DAY, None, NOW),
        (NOW + 3 * DAY, None, NOW + 3 * DAY),
        (NOW + 30 * DAY, None, NOW + 30 * DAY),
        # What was read is sent back.
        (NOW - DAY, NOW - DAY, NOW - DAY),
        (None, NOW - DAY, NOW - DAY),
        # It is put off, and it is brought forward.
        (NOW + DAY, NOW - DAY, NOW + DAY),
        (None, NOW + DAY, NOW),
        # Two owners at once: the second called before the first.
        (None, NOW + timedelta(milliseconds=5), NOW + timedelta(milliseconds=5)),
        # Nobody dates it back.
        (NOW - 5 * DAY, NOW - DAY, NOW - DAY),
    ],
)
def test_when_it_begins(
    wanted: datetime | None, present: datetime | None, begins: datetime
) -> None:
    assert begins_at(wanted, present, NOW) == begins


def test_it_begins_within_30_days() -> None:
    with pytest.raises(InvalidRequestError):
        begins_at(NOW + 30 * DAY + timedelta(seconds=1), None, NOW)


def test_members_are_reminded_a_day_before_if_there_is_one() -> None:
    assert reminded_at(NOW + 3 * DAY, NOW) == NOW + 2 * DAY
    assert reminded_at(NOW + DAY, NOW) is None
    assert reminded_at(NOW, NOW) is None


def test_it_concerns_everybody_unless_it_names_roles() -> None:
    assert concerns(None, "viewer")
    assert concerns([], "viewer")
    assert concerns(["owner", "viewer"], "viewer")
    assert not concerns(["owner"], "viewer")
