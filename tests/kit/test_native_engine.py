"""What the kit takes from the native engine beyond its interface is still there.

A release of the engine that fails here is one whose way to wait for slow clients has
changed: compare it with portico_kit/rpc/native.py before it is allowed.
"""

from __future__ import annotations

import hashlib
import inspect

import pygrpc_native.aio as native
import pytest

from portico_kit.rpc.native import NativeServer, has_parts, new_server
from portico_kit.rpc.server import OPTIONS

# Of the methods that send, in the release that ours was written for (0.5.0).
KNOWN = {
    "_send": "99760277eb27e895",
    "_encode": "3e96bda76258ebf6",
    "_run_stream": "42fafa11e6ed6360",
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_engine_sends_as_it_did(name: str) -> None:
    source = inspect.getsource(getattr(native.Server, name))
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == KNOWN[name]


async def test_the_engine_has_what_ours_is_made_of() -> None:
    assert has_parts()
    assert isinstance(new_server(OPTIONS), NativeServer)


async def test_an_engine_without_these_parts_is_used_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(native.Server, "_encode")
    server = new_server(OPTIONS)
    assert isinstance(server, native.Server)
    assert not isinstance(server, NativeServer)
