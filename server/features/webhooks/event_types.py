"""What the event types of the contract mean, for those who subscribe to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from portico_contract.methods import event_permissions, event_types
from portico_kit.errors import FieldViolation, InvalidRequestError

from server.features.webhooks.models import ALL_EVENTS

TEST_EVENT = "webhook.test"

# Generated descriptors carry no comments, so what an event means stands here. A test
# holds this table against the contract: an event without a description fails it.
DESCRIPTIONS: Mapping[str, str] = {
    "invitation.created": "Somebody was invited to the organization.",
    "invitation.declined": "An invitation was declined.",
    "invitation.revoked": "An invitation was revoked, or its inviter lost the right to invite.",
    "key.created": "An API key was created.",
    "key.imported": "An API key that another system made was imported.",
    "key.revoked": "An API key was revoked; it is refused from now on.",
    "key.rotated": "An API key got a new secret.",
    "key.updated": "The name, scopes, networks, limits or expiry of an API key changed.",
    "member.added": "Somebody joined the organization.",
    "member.removed": "Somebody is no longer a member of the organization.",
    "member.updated": "A member got another role.",
    "organization.created": "The organization was created.",
    "organization.updated": "The name or slug of the organization changed.",
    "webhook.created": "A webhook was created.",
    "webhook.deleted": "A webhook was deleted.",
    "webhook.disabled": "A webhook was disabled, by a caller or since its receiver is gone (410).",
    "webhook.test": "A test that was asked for; sent to one webhook, whatever it subscribes to.",
    "webhook.updated": "A webhook was changed.",
}


def require_known(wanted: Iterable[str]) -> None:
    """Refuses event types that the contract does not know.

    Raises:
        InvalidRequestError: naming each of them by its place in the list.
    """
    known = {ALL_EVENTS, *event_types()}
    violations = tuple(
        FieldViolation(f"event_types[{place}]", "EVENT_TYPE_UNKNOWN", "is not an event type")
        for place, name in enumerate(wanted)
        if name not in known
    )
    if violations:
        raise InvalidRequestError(violations=violations)


def permissions_to_read(subscribed: Iterable[str]) -> frozenset[str]:
    """What the events of these types show, as the permissions that show the same."""
    permissions = event_permissions()
    wanted = set(subscribed)
    if ALL_EVENTS in wanted:
        return frozenset(permissions.values())
    return frozenset(permissions[name] for name in wanted & permissions.keys())
