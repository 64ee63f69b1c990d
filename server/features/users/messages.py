"""The account as the contract shows it, and preferences as they are stored."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from portico.users.v1 import user_pb2 as pb
from portico.users.v1.user_service_pb2 import UpdateMeRequest

from portico_kit.changes import merge
from portico_kit.clock import timestamp
from server.features.users.models import User
from server.features.users.repository import UserView


def user(row: User | UserView) -> pb.User:
    """The message for a row whose profile is loaded."""
    return pb.User(
        id=str(row.id),
        email=row.email,
        email_verified=row.email_verified_at is not None,
        display_name=row.display_name,
        avatar_url=row.avatar_url,
        bio=row.bio,
        preferences=pb.Preferences(**row.preferences),
        status=row.status,
        role=row.role,
        created_at=timestamp(row.created_at),
        updated_at=timestamp(row.updated_at),
        last_login_at=timestamp(row.last_login_at),
    )


def merged_preferences(stored: dict[str, Any], request: UpdateMeRequest) -> dict[str, Any]:
    """The stored preferences after a change; what the change does not name stays."""
    preferences = pb.Preferences(**stored)
    merge(request, "preferences", preferences)
    return MessageToDict(preferences, preserving_proto_field_name=True)
