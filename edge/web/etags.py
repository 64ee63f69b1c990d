"""Versions: what a page has shown is what its form changes, or the form is refused."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from edge.web.core_client import Metadata

Method = Callable[..., Any]

_TAG = re.compile(r"[!-~]{1,200}")


def tagged(method: Method) -> Callable[..., Awaitable[tuple[Any, str]]]:
    """The method, answering with the entity tag beside the answer."""

    async def call(request: Any, *, metadata: Metadata, **options: float) -> tuple[Any, str]:
        running = method(request, metadata=metadata, **options)
        answer = await running
        return answer, dict(await running.initial_metadata()).get("etag", "")

    return call


def if_matching(method: Method, etag: str) -> Callable[..., Awaitable[Any]]:
    """The method, refused if the resource is no longer what the tag stands for."""

    # A form can send anything; what no header can carry matches nothing.
    carried = etag if _TAG.fullmatch(etag) else '"-"'

    async def call(request: Any, *, metadata: Metadata, **options: float) -> Any:
        expected = (("if-match", carried),) if etag else ()
        return await method(request, metadata=(*metadata, *expected), **options)

    return call
