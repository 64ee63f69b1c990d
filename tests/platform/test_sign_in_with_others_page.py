"""The example of docs/sign-in-with-others.md works as it stands there, at a certified provider."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from edge.gateway.settings import ROOT
from tests.node import requires_node
from tests.platform.conftest import Tenant, execute
from tests.stack import Stack
from tests.support.addresses import new_address
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, browser, certified_provider

EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@requires_node
async def test_the_example_works(stack: Stack, new_tenant: Any, tmp_path: Path) -> None:
    administrator: Tenant = await new_tenant()
    user_id = administrator.client.user["id"]
    await execute(stack, "update users set role = 'administrator' where id = %s", user_id)
    program = "\n".join(EXAMPLE.findall((ROOT / "docs" / "sign-in-with-others.md").read_text()))
    loop = asyncio.get_running_loop()
    callback = f"{stack.base_url}/sign-in/callback"
    async with (
        certified_provider(callback, f"{stack.base_url}/unused", tmp_path) as provider,
        browser() as session,
    ):

        def visit(url: str) -> dict[str, str]:
            going = asyncio.run_coroutine_threadsafe(provider.sign_in(url, "grace", session), loop)
            return going.result()

        names = {
            "BASE": stack.base_url,
            "ADMINISTRATOR": administrator.client.token,
            "ISSUER": provider.issuer,
            "CLIENT_ID": CLIENT_ID,
            "CLIENT_SECRET": CLIENT_SECRET,
            "HEADERS": {"x-forwarded-for": new_address()},
            "visit": visit,
        }
        await asyncio.to_thread(exec, program, names)
