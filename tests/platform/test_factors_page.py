"""The example of docs/factors.md works as it stands there, through the front door."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from edge.gateway.settings import ROOT
from portico_kit.testing.waiting import wait_until
from tests.platform.conftest import PASSWORD, Tenant, execute
from tests.stack import Stack
from tests.support.addresses import new_address
from tests.support.authenticator import Authenticator

CODE = re.compile(r"\b[0-9]{6}\b")
# The codes that were read before, by who they were sent to.
SEEN: set[tuple[str, str]] = set()
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


class ManyAddresses(Mapping[str, str]):
    """Headers of another client each time: the page signs in more often than one may."""

    def __getitem__(self, name: str) -> str:
        return {"x-forwarded-for": new_address()}[name]

    def __iter__(self) -> Iterator[str]:
        return iter(["x-forwarded-for"])

    def __len__(self) -> int:
        return 1


def sent_code(mailbox_url: str, recipient: str) -> str:
    """The code of the newest mail or text message that brings one, once it is there."""
    address = recipient if "@" in recipient else f"{recipient.replace(' ', '')}@phonebox.localhost"
    found: list[str] = []

    def arrived() -> bool:
        url = f"{mailbox_url}/messages"
        with urllib.request.urlopen(url) as answer:  # noqa: S310 (the mailbox on this machine)
            messages = json.loads(answer.read())["messages"]
        texts = [each["text"] for each in messages if address in each["to"]]
        codes = [code[0] for text in texts if (code := CODE.search(text))]
        fresh = [code for code in codes if (address, code) not in SEEN]
        found.extend(fresh[:1])
        return bool(fresh)

    wait_until(arrived, 20)
    SEEN.add((address, found[0]))
    return found[0]


async def test_the_example_works(stack: Stack, new_tenant: Any) -> None:
    person: Tenant = await new_tenant()
    program = "\n".join(EXAMPLE.findall((ROOT / "docs" / "factors.md").read_text()))
    browser = Authenticator(origin=stack.base_url.replace("127.0.0.1", "localhost"))
    names = {
        "BASE": stack.base_url,
        "EMAIL": person.email,
        "PASSWORD": PASSWORD,
        "TOKEN": person.client.token,
        "HEADERS": ManyAddresses(),
        "create": browser.create,
        "get": browser.get,
        "PHONE_NUMBER": "+49 1512 3456789",
        "sent_code": partial(sent_code, stack.mailbox_url),
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
