"""The rights of each part on the platform, and the contract, name the same permissions."""

from __future__ import annotations

from portico_contract import methods, platform_event_permissions, services
from server.features.users.rules import ROLE_PERMISSIONS


def test_every_permission_of_the_contract_is_held_by_somebody_and_no_other_is() -> None:
    needed = {
        method.permission
        for service in services()
        for method in methods(service)
        if method.access == "platform_permission"
    }
    assert needed == set().union(*ROLE_PERMISSIONS.values())


def test_ordinary_people_hold_none() -> None:
    assert ROLE_PERMISSIONS["user"] == frozenset()


def test_what_belongs_to_no_organization_is_read_by_administrators_alone() -> None:
    needed = set(platform_event_permissions().values())
    assert needed <= ROLE_PERMISSIONS["administrator"]
    assert set(platform_event_permissions()) >= {"session.created", "session.ended", "user.updated"}
