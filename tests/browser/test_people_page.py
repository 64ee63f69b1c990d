"""The example of docs/people.md works as it stands there."""

from __future__ import annotations

import asyncio
import re

from edge.gateway.settings import ROOT
from tests.browser.visitor import mailed_link, new_email
from tests.stack import Stack
from tests.support.addresses import new_address

EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


async def test_the_example_of_a_front_end_works(stack: Stack) -> None:
    program = "\n".join(EXAMPLE.findall((ROOT / "docs" / "people.md").read_text()))
    loop = asyncio.get_running_loop()
    email = new_email()

    def mailed_token(path: str) -> str:
        link = asyncio.run_coroutine_threadsafe(mailed_link(stack, email, path), loop)
        return link.result().partition("token=")[2]

    names = {
        "BASE": stack.base_url,
        "EMAIL": email,
        "HEADERS": {"x-forwarded-for": new_address()},
        "mailed_token": mailed_token,
    }
    await asyncio.to_thread(exec, program, names)
