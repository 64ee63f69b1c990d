"""What the contract says of its methods and fields, read from the generated descriptors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import portico
from google.protobuf.descriptor import (
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from portico.type.v1 import options_pb2

_READ_CATEGORIES = (options_pb2.LIMIT_CATEGORY_READ, options_pb2.LIMIT_CATEGORY_UNLIMITED)

REDACTED = "[redacted]"

REPLAY = options_pb2.IDEMPOTENCY_REPLAY
REPLAY_TO_FORMER_CALLER = options_pb2.IDEMPOTENCY_REPLAY_TO_FORMER_CALLER
CREDENTIAL_ONCE = options_pb2.IDEMPOTENCY_CREDENTIAL_ONCE
NO_KEY = options_pb2.IDEMPOTENCY_NONE


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
        or_self: the request field that names the person who needs no permission, or "".
        emits: the event types it may cause.
        idempotency: what becomes of an Idempotency-Key.
        masked: whether a mask names what it changes; see `changes`.
    """

    path: str
    name: str
    access: str
    permission: str
    or_self: str
    reads: bool
    emits: frozenset[str]
    idempotency: options_pb2.Idempotency.ValueType
    names_organization: bool
    masked: bool
    request: type[Message]
    response: type[Message]

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether a call with a key that is repeated happens once."""
        return self.idempotency != NO_KEY

    @property
    def gives_credential(self) -> bool:
        """Whether the answer holds a credential, which a repetition must not show."""
        return self.idempotency == CREDENTIAL_ONCE


def services() -> Iterable[ServiceDescriptor]:
    """Every service of the contract: whatever there are stubs for."""
    for file in _files():
        yield from file.services_by_name.values()


@cache
def _files() -> tuple[FileDescriptor, ...]:
    """The files of the contract that have services, in the order of their names.

    Such a file, and no other, has a module of client stubs beside that of its messages.
    """
    names = {
        ".".join((portico.__name__, *stub.relative_to(folder).parts)).removesuffix("_grpc.py")
        for folder in map(Path, portico.__path__)
        for stub in folder.rglob("*_pb2_grpc.py")
    }
    return tuple(import_module(name).DESCRIPTOR for name in sorted(names))


def methods(service: ServiceDescriptor) -> list[Method]:
    """Every method of a service.

    Raises:
        ContractError: if one does not say who may call it, or gives out a
            credential and does not say what a repetition gets.
    """
    return [_method(method) for method in service.methods]


def _method(method: MethodDescriptor) -> Method:
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    rule = access.WhichOneof("rule")
    if rule is None:
        raise ContractError(f"{method.full_name} does not say who may call it")
    reads = options.Extensions[options_pb2.limit].category in _READ_CATEGORIES
    return Method(
        path=f"/{method.containing_service.full_name}/{method.name}",
        name=method.name,
        access=rule,
        permission=access.permission or access.platform_permission,
        or_self=access.or_self,
        reads=reads,
        emits=frozenset(options.Extensions[options_pb2.emits]),
        idempotency=NO_KEY if reads else _idempotency(method),
        names_organization="organization_id" in method.input_type.fields_by_name,
        masked="update_mask" in method.input_type.fields_by_name,
        request=GetMessageClass(method.input_type),
        response=GetMessageClass(method.output_type),
    )


def _idempotency(method: MethodDescriptor) -> options_pb2.Idempotency.ValueType:
    """What becomes of the key of a write."""
    declared = method.GetOptions().Extensions[options_pb2.idempotency] or REPLAY
    gives_credential = any(_is_sensitive(field) for field in method.output_type.fields)
    if gives_credential and declared not in (CREDENTIAL_ONCE, NO_KEY):
        raise ContractError(f"{method.full_name} would repeat a credential (idempotency)")
    return declared


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


@cache
def event_permissions() -> dict[str, str]:
    """The permission that shows what each event type shows, by the type's name.

    Raises:
        ContractError: if the events about a kind of resource belong to no service, or to two.
    """
    families = [
        family
        for service in services()
        for family in service.GetOptions().Extensions[options_pb2.events]
    ]
    permissions = {family.resource: family.permission for family in families}
    if len(permissions) != len(families):
        raise ContractError("two services say who may read the same events")
    unknown = {name for name in event_types() if name.partition(".")[0] not in permissions}
    if unknown:
        raise ContractError(f"no service says who may read {', '.join(sorted(unknown))}")
    return {name: permissions[name.partition(".")[0]] for name in event_types()}


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
