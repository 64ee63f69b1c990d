"""What an application can be given, each with the sentence that people read before they agree.

Beside what OpenID Connect defines, scopes are the permissions of the contract.
"""

from __future__ import annotations

from collections.abc import Mapping

OPENID = "openid"
PROFILE = "profile"
EMAIL = "email"
OFFLINE_ACCESS = "offline_access"

# They concern the person, whatever organization they are in.
PERSONAL_SCOPES: Mapping[str, str] = {
    OPENID: "Know that it is you.",
    PROFILE: "See your name.",
    EMAIL: "See your email address.",
    OFFLINE_ACCESS: "Go on when you are not signed in.",
}
# They concern the organization that the person chooses.
ORGANIZATION_SCOPES: Mapping[str, str] = {
    "applications:read": "See the organization's applications and how they are used.",
    "applications:write": "Create, change and delete the organization's applications.",
    "connections:read": "See how people of the organization sign in with its provider.",
    "connections:write": "Change how people of the organization sign in with its provider.",
    "events:read": "See what happens in the organization, as far as you may see the rest of it.",
    "domains:read": "See the organization's domains.",
    "domains:write": "Add, verify and remove the organization's domains.",
    "keys:read": "See the organization's API keys, without their secrets.",
    "keys:write": "Create, change and revoke the organization's API keys.",
    "members:read": "See the organization's members and invitations.",
    "members:write": "Invite and remove members, and change their roles.",
    "organization:delete": "Delete the organization.",
    "organization:read": "See the organization's name and settings.",
    "organization:secure": "Change how members have to sign in.",
    "organization:write": "Change the organization's name and settings.",
    "projects:read": "See the organization's projects.",
    "projects:transfer": "Transfer projects to another organization.",
    "projects:write": "Create, change and delete projects.",
    "webhooks:read": "See the organization's webhooks and their deliveries.",
    "webhooks:write": "Create, change and delete webhooks, and send events again.",
}
SCOPES: Mapping[str, str] = {**PERSONAL_SCOPES, **ORGANIZATION_SCOPES}


def described(scope: str) -> str:
    """The sentence for a scope; its name if the release before knew it, and this one does not."""
    return SCOPES.get(scope, scope)
