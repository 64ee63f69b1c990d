"""The contract says of each method what the platform needs to know."""

from __future__ import annotations

import re

from portico.type.v1 import options_pb2
from portico.users.v1.user_pb2 import User
from portico.users.v1.user_service_pb2 import ListUsersResponse

from portico_contract import (
    CONTRACT_FILE,
    REDACTED,
    event_types,
    installed,
    methods,
    organization_permissions,
    redacted,
    services,
)
from tests.support.cells import Cells

ROOT = CONTRACT_FILE.parents[1]
METHODS = [method for service in services() for method in methods(service)]


def test_each_method_says_who_may_call_it_and_what_it_costs() -> None:
    accesses = {"public", "signed_in", "permission", "platform_permission", "internal"}
    descriptors = {
        f"/{service.full_name}/{found.name}": found
        for service in services()
        for found in service.methods
    }
    cells = Cells()
    for method in METHODS:
        with cells.cell(method.path):
            limit = descriptors[method.path].GetOptions().Extensions[options_pb2.limit]
            assert limit.category != options_pb2.LIMIT_CATEGORY_UNSPECIFIED
            assert method.access in accesses
            assert bool(method.permission) == method.access.endswith("permission")
    cells.hold()


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


def test_every_service_in_proto_is_found_without_being_listed() -> None:
    found = {service.full_name.rpartition(".")[2] for service in services()}
    texts = (path.read_text() for path in (ROOT / "proto").rglob("*.proto"))
    assert found == {
        name for text in texts for name in re.findall(r"^service (\w+)", text, re.MULTILINE)
    }


def test_the_installed_messages_are_those_of_the_generated_modules() -> None:
    assert any(method.response is ListUsersResponse for method in installed().methods)
