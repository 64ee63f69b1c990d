"""What the contract says of its methods and fields, read from the generated descriptors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import (
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from portico.auth.v1 import auth_service_pb2
from portico.health.v1 import health_service_pb2
from portico.keys.v1 import api_key_service_pb2
from portico.organizations.v1 import organization_service_pb2
from portico.type.v1 import options_pb2
from portico.users.v1 import user_service_pb2
from portico.webhooks.v1 import webhook_service_pb2

_FILES = (
    auth_service_pb2,
    health_service_pb2,
    api_key_service_pb2,
    organization_service_pb2,
    user_service_pb2,
    webhook_service_pb2,
)

_READ_CATEGORIES = (options_pb2.LIMIT_CATEGORY_READ, options_pb2.LIMIT_CATEGORY_UNLIMITED)

REDACTED = "[redacted]"


class ContractError(Exception):
    """The contract leaves out something that every method must say."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract.

    Attributes:
        path: as gRPC names it, "/portico.keys.v1.ApiKeyService/GetApiKey".
        access: which of the rules of `portico.type.v1.Access` holds.
        permission: the permission that is needed, or "".
        reads: whether it changes nothing.
        emits: the event types it may cause.
        masked: whether a mask names what it changes; see `changes`.
    """

    path: str
    name: str
    access: str
    permission: str
    reads: bool
    emits: frozenset[str]
    names_organization: bool
    masked: bool
    request: type[Message]
    response: type[Message]


def services() -> Iterable[ServiceDescriptor]:
    """Every service of the contract."""
    for file in _FILES:
        yield from file.DESCRIPTOR.services_by_name.values()


def methods(service: ServiceDescriptor) -> list[Method]:
    """Every method of a service.

    Raises:
        ContractError: if one does not say who may call it.
    """
    return [_method(method) for method in service.methods]


def _method(method: MethodDescriptor) -> Method:
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    rule = access.WhichOneof("rule")
    if rule is None:
        raise ContractError(f"{method.full_name} does not say who may call it")
    return Method(
        path=f"/{method.containing_service.full_name}/{method.name}",
        name=method.name,
        access=rule,
        permission=access.permission or access.platform_permission,
        reads=options.Extensions[options_pb2.limit].category in _READ_CATEGORIES,
        emits=frozenset(options.Extensions[options_pb2.emits]),
        names_organization="organization_id" in method.input_type.fields_by_name,
        masked="update_mask" in method.input_type.fields_by_name,
        request=GetMessageClass(method.input_type),
        response=GetMessageClass(method.output_type),
    )


@cache
def organization_permissions() -> frozenset[str]:
    """Every permission that can be held in an organization; also every scope of a key."""
    return frozenset(
        method.permission
        for service in services()
        for method in methods(service)
        if method.access == "permission"
    )


@cache
def event_types() -> dict[str, MethodDescriptor]:
    """Every event type, with the method that causes it, by name."""
    found = {
        event: method
        for service in services()
        for method in service.methods
        for event in method.GetOptions().Extensions[options_pb2.emits]
    }
    return dict(sorted(found.items()))


def as_json(message: Message) -> dict[str, Any]:
    """A message as the public JSON shows it."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def redacted(message: Message) -> dict[str, Any]:
    """A message as JSON for logs and the audit log: without its sensitive values."""
    return _redact(as_json(message), type(message).DESCRIPTOR)


def _redact(json: dict[str, Any], descriptor: Any) -> dict[str, Any]:
    hidden, nested = _sensitive(descriptor)
    shown = {name: REDACTED if name in hidden else value for name, value in json.items()}
    for name, inner in nested.items():
        value = shown.get(name)
        if isinstance(value, dict):
            shown[name] = _redact(value, inner)
        elif isinstance(value, list):
            shown[name] = [_redact(item, inner) for item in value]
    return shown


@cache
def _sensitive(descriptor: Any) -> tuple[frozenset[str], dict[str, Any]]:
    """The JSON names of a message's sensitive fields, and those that hold messages of ours."""
    fields = descriptor.fields
    hidden = frozenset(field.json_name for field in fields if _is_sensitive(field))
    nested = {
        field.json_name: field.message_type
        for field in fields
        if field.message_type is not None
        and field.message_type.full_name.startswith("portico.")
        and field.json_name not in hidden
    }
    return hidden, nested


def _is_sensitive(field: FieldDescriptor) -> bool:
    return bool(field.GetOptions().Extensions[options_pb2.sensitive])
