"""The example of docs/factors.md works as it stands there, through the front door."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from edge.gateway.settings import ROOT
from tests.platform.conftest import PASSWORD, Tenant, execute
from tests.stack import Stack
from tests.support.addresses import new_address

EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


async def test_the_example_works(stack: Stack, new_tenant: Any) -> None:
    person: Tenant = await new_tenant()
    program = "\n".join(EXAMPLE.findall((ROOT / "docs" / "factors.md").read_text()))
    names = {
        "BASE": stack.base_url,
        "EMAIL": person.email,
        "PASSWORD": PASSWORD,
        "TOKEN": person.client.token,
        "HEADERS": {"x-forwarded-for": new_address()},
    }
    await asyncio.to_thread(exec, program, names)


async def test_a_refusal_says_over_rest_what_it_needs(stack: Stack, new_tenant: Any) -> None:
    """RFC 9470, section 3: the challenge stands in WWW-Authenticate."""
    person: Tenant = await new_tenant()
    await execute(
        stack,
        "update sessions set authentications = "
        """'[{"method": "password", "at": 1700000000}]' where user_id = %s""",
        person.client.user["id"],
    )
    headers = {"authorization": f"Bearer {person.client.token}"}
    path = "/api/v1/users/me/factors/totp/begin"
    async with person.client.http.post(path, json={}, headers=headers) as answer:
        body = await answer.json()
    assert (answer.status, body["error"]["code"]) == (401, "INSUFFICIENT_USER_AUTHENTICATION")
    assert answer.headers.getall("www-authenticate") == [
        'Bearer error="insufficient_user_authentication", '
        'acr_values="urn:portico:aal1", max_age="300"'
    ]
    assert body["error"]["details"] == [
        {
            "field": "assurance",
            "code": "FRESHNESS",
            "message": "must be urn:portico:aal1, shown at most 300 seconds ago, by password",
        }
    ]
