"""The examples of docs/events.md work as they stand there, through the front door."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from edge.gateway.settings import ROOT
from portico_kit.testing.waiting import eventually
from tests.platform.conftest import Tenant
from tests.stack import Stack
from tests.support.addresses import new_address

EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


async def test_the_examples_work(stack: Stack, new_tenant: Any) -> None:
    person: Tenant = await new_tenant()
    here = f"/organizations/{person.organization_id}"
    await person.client.call("POST", f"{here}/projects", {"name": "Apollo"}, expect=201)
    listed = f"{here}/events?types=project.created"
    await eventually(lambda: person.client.call("GET", listed, expect=200))
    names = {
        "BASE": stack.base_url,
        "TOKEN": person.client.token,
        "ORGANIZATION_ID": person.organization_id,
        "HEADERS": {"x-forwarded-for": new_address()},
    }
    for program in EXAMPLE.findall((ROOT / "docs" / "events.md").read_text()):
        await asyncio.to_thread(exec, compile(program, "docs/events.md", "exec"), names)
    assert names["event"]["data"]["name"] == "Apollo"  # type: ignore[index]
