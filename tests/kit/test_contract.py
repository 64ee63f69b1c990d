"""The contract says of each method what the platform needs to know."""

from __future__ import annotations

import pytest
from portico.type.v1 import options_pb2
from portico.users.v1.user_pb2 import User
from portico.users.v1.user_service_pb2 import ListUsersResponse

from portico_contract.methods import (
    REDACTED,
    Method,
    event_types,
    methods,
    organization_permissions,
    redacted,
    services,
)

METHODS = [method for service in services() for method in methods(service)]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.path)
def test_each_method_says_who_may_call_it_and_what_it_costs(method: Method) -> None:
    descriptor = next(
        found
        for service in services()
        for found in service.methods
        if method.path == f"/{service.full_name}/{found.name}"
    )
    limit = descriptor.GetOptions().Extensions[options_pb2.limit]
    assert limit.category != options_pb2.LIMIT_CATEGORY_UNSPECIFIED
    assert method.access in {"public", "signed_in", "permission", "platform_permission", "internal"}
    assert bool(method.permission) == method.access.endswith("permission")


def test_an_event_is_caused_by_writes_only() -> None:
    assert all(not method.reads for method in METHODS if method.emits)
    assert "key.revoked" in event_types()


def test_permissions_are_a_thing_and_what_is_done_to_it() -> None:
    assert {"keys:read", "keys:write", "organization:read"} <= organization_permissions()
    assert all(len(permission.split(":")) == 2 for permission in organization_permissions())


def test_sensitive_values_do_not_get_into_logs_however_deep_they_are() -> None:
    user = User(id="1", email="ada@example.com", display_name="Ada")
    shown = redacted(ListUsersResponse(users=[user], next_cursor="x"))
    assert shown["users"][0]["email"] == REDACTED
    assert shown["users"][0]["displayName"] == "Ada"
