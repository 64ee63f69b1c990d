"""What a page is made of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from edge.web.visit import Visit

Serve = Callable[[Visit], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Attributes:
        get: shows it; changes nothing, whatever is in the address. It also shows it again
            after a form that was not accepted.
        post: does what its form asks for; a form that is not from our pages never gets here.
    """

    get: Serve
    post: Serve | None = None
