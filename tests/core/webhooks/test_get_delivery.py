"""Showing a delivery with what came of it."""

from __future__ import annotations

import grpc

from tests.core.conftest import Refused
from tests.core.webhooks.conftest import Desk


async def test_every_attempt_is_shown_with_its_answer(desk: Desk) -> None:
    delivery = await desk.test((await desk.create()).webhook.id)
    await desk.attempt(delivery.id, 503, body="busy")
    await desk.redeliver(delivery.id)
    await desk.attempt(delivery.id, None, error="The connection was refused.")
    shown = await desk.delivery(delivery.id)
    assert (shown.status, shown.attempt_count) == ("failed", 2)
    assert not shown.HasField("next_attempt_at")
    first, second = shown.attempts
    assert (first.number, first.response_status, first.response_body) == (1, 503, "busy")
    assert first.duration_ms == 12
    assert (second.number, second.response_status) == (2, 0)
    assert second.error == "The connection was refused."


async def test_what_was_accepted_says_when(desk: Desk) -> None:
    delivery = await desk.test((await desk.create()).webhook.id)
    await desk.attempt(delivery.id, 204)
    shown = await desk.delivery(delivery.id)
    assert shown.status == "delivered"
    assert shown.delivered_at.ToDatetime() >= shown.attempts[0].started_at.ToDatetime()


async def test_a_delivery_that_nobody_has_is_not_found(desk: Desk, refused: Refused) -> None:
    attempt = desk.delivery("01890a5d-ac96-774b-bcce-b302099a8057")
    await refused(attempt, grpc.StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND")
