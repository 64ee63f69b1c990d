"""The steps of docs/oauth.md, "in ten minutes", work one after the other as they stand there."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from edge.gateway.settings import ROOT
from tests.platform.conftest import PASSWORD, Tenant
from tests.stack import Stack
from tests.support.addresses import new_address
from tests.web.browser import FrontDoorBrowser
from tests.web.oauth_client import decide, settled

STEP = re.compile(r"^(\d+)\. .*?```python\n(.*?)```", re.DOTALL | re.MULTILINE)


def steps() -> list[tuple[str, str]]:
    """The number of each step, and its program."""
    page = (ROOT / "docs" / "oauth.md").read_text()
    section = page.partition("## In ten minutes")[2].partition("\n## ")[0]
    return STEP.findall(section)


async def sign_in_and_agree(browser: FrontDoorBrowser, tenant: Tenant, url: str) -> str:
    """What the person does; gives where the browser was sent to."""
    page = await settled(browser, await browser.get(url.removeprefix(browser.base)))
    page = await browser.submit(page, "/sign-in", email=tenant.email, password=PASSWORD)
    page = await settled(browser, page)
    assert page.heading == "Analytical Engine asks for access"
    return (await decide(browser, page, "approve")).location


async def test_the_steps_lead_to_a_person_who_is_signed_in(stack: Stack, tenant: Tenant) -> None:
    loop = asyncio.get_running_loop()
    browser = FrontDoorBrowser(stack.base_url)

    def visit(url: str) -> str:
        visiting = sign_in_and_agree(browser, tenant, url)
        return asyncio.run_coroutine_threadsafe(visiting, loop).result()

    names: dict[str, Any] = {
        "BASE": stack.base_url,
        "TOKEN": tenant.client.token,
        "ORGANIZATION_ID": tenant.organization_id,
        "HEADERS": {"x-forwarded-for": new_address()},
        "visit": visit,
    }
    try:
        for number, program in steps():
            code = compile(program, f"docs/oauth.md, step {number}", "exec")
            await asyncio.to_thread(exec, code, names)
    finally:
        await browser.close()
    assert [number for number, _ in steps()] == list("12345678")
    assert names["person"]["email"] == tenant.email
    assert names["organization"]["id"] == tenant.organization_id
