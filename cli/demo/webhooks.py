"""Steps of the tour that are about webhooks: a delivery, a failure, the retry."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

from cli.demo.console import WrongAnswer
from cli.demo.people import Person, Stage
from cli.demo.receiver import Received, Receiver

DELIVERY_SECONDS = 15.0
# The second attempt is due 60 s after the first; a little more for the way.
RETRY_SECONDS = 80.0
POLL_SECONDS = 1.0


async def subscribe(stage: Stage, owner: Person, organization: str, receiver: Receiver) -> str:
    """Creates a webhook to the receiver and gives its id."""
    stage.console.step("Subscribing a webhook")
    path = f"/api/v1/organizations/{organization}/webhooks"
    body = {"url": receiver.url, "eventTypes": ["key.created"], "description": "Tour"}
    answer = await stage.rest.call("POST", path, body, expect=201, credential=owner.credential)
    receiver.secret = answer.data["secret"]
    return str(answer.data["webhook"]["id"])


async def see_delivery(stage: Stage, receiver: Receiver, event_type: str) -> Received:
    """Waits for an event and checks its signature."""
    stage.console.step(f"The event {event_type} arrives at the receiver")
    received = await arrival(receiver, DELIVERY_SECONDS, event_type=event_type)
    show(stage, received)
    stage.console.check(received.verified, "the signature verifies (Standard Webhooks)")
    return received


async def fail_once(stage: Stage, owner: Person, webhook: str, receiver: Receiver) -> str:
    """Has an event delivered to a receiver that is down; gives the id of the delivery."""
    stage.console.step("The receiver breaks down and a test event is sent")
    receiver.healthy = False
    path = f"/api/v1/webhooks/{webhook}/test"
    answer = await stage.rest.call("POST", path, {}, expect=202, credential=owner.credential)
    show(stage, await arrival(receiver, DELIVERY_SECONDS, event_type="webhook.test"))
    delivery = await settled(stage, owner, answer.data["id"], "pending", attempts=1)
    attempt = delivery["attempts"][0]
    stage.console.check(attempt["responseStatus"] == 500, "the failed attempt is recorded")
    due = datetime.fromisoformat(delivery["nextAttemptAt"])
    gap = (due - datetime.fromisoformat(attempt["startedAt"])).total_seconds()
    stage.console.check(55 <= gap <= 75, f"the next attempt is due a minute later ({gap:.0f} s)")
    receiver.healthy = True
    stage.console.note("The receiver is up again. The tour goes on until the retry is due.")
    return str(delivery["id"])


async def see_retry(stage: Stage, owner: Person, delivery: str, receiver: Receiver) -> None:
    """Waits for the second attempt, which succeeds."""
    stage.console.step("The retry comes by itself")
    stage.console.note("It is due a minute after the first attempt: waiting for it.")
    async with stage.console.waiting("for the retry of the delivery", RETRY_SECONDS):
        received = await arrival(receiver, RETRY_SECONDS, delivery=delivery)
    show(stage, received)
    stage.console.check(received.verified, "the same delivery, signed anew, and right")
    await settled(stage, owner, delivery, "delivered", attempts=2)


async def redeliver(stage: Stage, owner: Person, delivery: str, receiver: Receiver) -> None:
    """Has a delivery sent once more by hand."""
    stage.console.step("Redelivering by hand")
    path = f"/api/v1/deliveries/{delivery}/redeliver"
    await stage.rest.call("POST", path, {}, expect=202, credential=owner.credential)
    received = await arrival(receiver, DELIVERY_SECONDS, delivery=delivery)
    show(stage, received)
    stage.console.check(received.verified, "the same delivery, signed anew, and right")


async def unsubscribe(stage: Stage, owner: Person, webhook: str) -> None:
    """Removes the webhook: the receiver ends with the tour."""
    stage.console.step("Unsubscribing the webhook")
    path = f"/api/v1/webhooks/{webhook}"
    await stage.rest.call("DELETE", path, expect=204, credential=owner.credential)


async def settled(
    stage: Stage, owner: Person, delivery: str, status: str, attempts: int
) -> dict[str, Any]:
    """Waits until a delivery has a status and a number of attempts."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    path = f"/api/v1/deliveries/{delivery}"
    while True:
        answer = await stage.rest.call("GET", path, expect=200, credential=owner.credential)
        seen = (answer.data["status"], answer.data["attemptCount"])
        if seen == (status, attempts):
            return dict(answer.data)
        if time.monotonic() > deadline:
            raise WrongAnswer(f"delivery {delivery} is {seen}, not {(status, attempts)}")
        await asyncio.sleep(POLL_SECONDS)


async def arrival(
    receiver: Receiver, seconds: float, *, event_type: str = "", delivery: str = ""
) -> Received:
    """Waits for the next event of a type, or the next attempt of a delivery."""
    try:
        return await receiver.next(seconds=seconds, event_type=event_type, delivery=delivery)
    except TimeoutError:
        wanted = event_type or f"attempt of {delivery}"
        raise WrongAnswer(f"no {wanted} arrived within {seconds:.0f} s") from None


def show(stage: Stage, received: Received) -> None:
    """Shows what the receiver got and how it answered."""
    stage.console.sent("POST /events (to the receiver)", received.payload)
    for name, value in received.headers.items():
        stage.console.note(f"  {name}: {value}")
    stage.console.received(f"{received.status} (by the receiver)")
