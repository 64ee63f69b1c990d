"""The contract that is installed with the platform, for the processes that serve it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor

from portico_contract.model import Contract, Method
from portico_contract.reading import load_generated, methods_of

GENERATED = Path(__file__).resolve().parents[2] / "generated"
CONTRACT_FILE = GENERATED / "descriptor.binpb"


@dataclass(frozen=True, slots=True)
class EventDocument:
    """What the catalogue has of an event type.

    Attributes:
        version: of the schema.
        schema: the JSON Schema of what is posted.
        example: what is posted for an event, as an example.
    """

    version: int
    schema: dict[str, Any]
    example: dict[str, Any]


@cache
def installed() -> Contract:
    """The installed contract, read when it is first asked for; see `load_generated`."""
    return load_generated(CONTRACT_FILE)


def services() -> Iterable[ServiceDescriptor]:
    """Every service of the installed contract."""
    return installed().services


def methods(service: ServiceDescriptor) -> list[Method]:
    """Every method of a service, be it installed or not; see `methods_of`."""
    return methods_of(service)


def organization_permissions() -> frozenset[str]:
    """Every permission that can be held in an organization; also every scope of a key."""
    return installed().organization_permissions


def event_types() -> dict[str, MethodDescriptor]:
    """Every event type, with the method that causes it, by name."""
    return installed().event_types


def event_permissions() -> dict[str, str]:
    """What shows the same as an event type that belongs to organizations, by its name."""
    return installed().event_permissions


def platform_event_permissions() -> dict[str, str]:
    """What shows the same as an event type that belongs to no organization, by its name."""
    return installed().platform_event_permissions


def event_data() -> dict[str, Descriptor]:
    """The message that is the data of an event type, by its name."""
    return installed().event_data


@cache
def event_document(event_type: str) -> EventDocument:
    """The entry of an event type in the catalogue, read when it is first asked for.

    Raises:
        OSError: if there is no such event type.
    """
    document = json.loads((GENERATED / "events" / f"{event_type}.json").read_text())
    return EventDocument(document["version"], document["schema"], document["example"])
