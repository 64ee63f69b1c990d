"""The contract as the gateway sees it: every method with its URL, access and cost.

Read from the descriptor set that `portico generate` writes, so that what Envoy
enforces and what the documents say come from the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from portico.type.v1 import options_pb2

from portico_kit.edge_state.limit_categories import BY_MAIL, LimitCategory

PACKAGE = "portico."
_IDEMPOTENCY_PREFIX = "IDEMPOTENCY_"


class ContractError(Exception):
    """The contract leaves something out or contradicts itself; the message names the method."""


class AccessRule(Enum):
    """Who may call a method; the values are the names in `portico.type.v1.Access`."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    PERMISSION = "permission"
    PLATFORM_PERMISSION = "platform_permission"
    INTERNAL = "internal"


class Idempotency(Enum):
    """What becomes of an Idempotency-Key; the values are the names in `portico.type.v1`."""

    REPLAY = "replay"
    REPLAY_TO_FORMER_CALLER = "replay_to_former_caller"
    CREDENTIAL_ONCE = "credential_once"
    NONE = "none"

    @property
    def takes_key(self) -> bool:
        """Whether a call with a key that is repeated happens once."""
        return self is not Idempotency.NONE

    @property
    def replays(self) -> bool:
        """Whether the repetition gets the first answer."""
        return self in (Idempotency.REPLAY, Idempotency.REPLAY_TO_FORMER_CALLER)


@dataclass(frozen=True, slots=True)
class Binding:
    """The REST form of a method.

    Attributes:
        verb: the HTTP method, "PATCH".
        template: the path, "/api/v1/api-keys/{api_key_id}".
        has_body: whether the request has a JSON body.
        response_field: the field of the response that is the answer; "" for all of it.
    """

    verb: str
    template: str
    has_body: bool
    response_field: str


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the contract.

    Attributes:
        service: the full name, "portico.keys.v1.ApiKeyService".
        permission: what the caller must hold, or "".
        cost: how much a call takes from the budget.
        status: the HTTP status of success.
        enveloped: whether the REST answer is wrapped.
        rest: the REST form; None for methods that only gRPC has.
        emits: the event types it may cause.
        idempotency: what becomes of an Idempotency-Key.
    """

    service: str
    name: str
    access: AccessRule
    permission: str
    category: LimitCategory
    cost: int
    status: int
    enveloped: bool
    rest: Binding | None
    request: Descriptor
    response: Descriptor
    emits: tuple[str, ...]
    idempotency: Idempotency

    @property
    def path(self) -> str:
        """The path of the gRPC call."""
        return f"/{self.service}/{self.name}"

    @property
    def full_name(self) -> str:
        """The name in the descriptor set."""
        return f"{self.service}.{self.name}"

    @property
    def list_field(self) -> str:
        """The field that holds the items of a page, or "" if the answer is not a page."""
        names = [field.name for field in self.response.fields]
        return names[0] if names[1:] == ["next_cursor", "has_more"] else ""


@dataclass(frozen=True)
class Contract:
    """Everything the gateway and its documents are made from.

    Attributes:
        methods: in the order of the contract's files.
        comments: the text beside each element, by full name.
    """

    methods: tuple[Method, ...]
    comments: dict[str, str]

    @property
    def routed(self) -> tuple[Method, ...]:
        """The methods that the outside can reach: all but the internal ones."""
        return tuple(m for m in self.methods if m.access is not AccessRule.INTERNAL)

    def names(self, vocabulary: options_pb2.Vocabulary.ValueType) -> list[str]:
        """The names that a field with this option can hold; none if it can hold any text."""
        if vocabulary == options_pb2.VOCABULARY_PERMISSIONS:
            guarded = [m for m in self.methods if m.access is AccessRule.PERMISSION]
            return sorted({method.permission for method in guarded})
        if vocabulary == options_pb2.VOCABULARY_EVENT_TYPES:
            return ["*", *sorted({event for method in self.methods for event in method.emits})]
        return []


def load(path: Path) -> Contract:
    """Reads a descriptor set with imports and comments.

    Raises:
        ContractError: if a method does not say who may call it or what it costs.
        OSError: if there is no such file.
    """
    return read(FileDescriptorSet.FromString(path.read_bytes()))


def read(files: FileDescriptorSet) -> Contract:
    """Reads a descriptor set that is already in memory; see `load`."""
    pool = DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    ours = [file for file in files.file if file.package.startswith(PACKAGE)]
    methods = tuple(
        _method(service, method)
        for file in ours
        for service in _services(pool, file)
        for method in service.methods
    )
    comments: dict[str, str] = {}
    for file in ours:
        comments.update(_comments(file))
    return Contract(methods, comments)


def _services(pool: DescriptorPool, file: FileDescriptorProto) -> Iterator[ServiceDescriptor]:
    for service in file.service:
        yield pool.FindServiceByName(f"{file.package}.{service.name}")


def _method(service: ServiceDescriptor, method: MethodDescriptor) -> Method:
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    limit = options.Extensions[options_pb2.limit]
    rule = access.WhichOneof("rule")
    if rule is None:
        raise ContractError(f"{method.full_name} does not say who may call it (access)")
    if limit.category == options_pb2.LIMIT_CATEGORY_UNSPECIFIED:
        raise ContractError(f"{method.full_name} does not say what a call costs (limit)")
    binding = _binding(method, options.Extensions[annotations_pb2.http])
    if rule == AccessRule.INTERNAL.value and binding is not None:
        raise ContractError(f"{method.full_name} is internal and must not have a URL")
    category = LimitCategory.of(limit.category)
    if category in BY_MAIL:
        raise ContractError(f"{method.full_name} has a limit category that is only for mails")
    return Method(
        service=service.full_name,
        name=method.name,
        access=AccessRule(rule),
        permission=access.permission or access.platform_permission,
        category=category,
        cost=limit.cost or 1,
        status=options.Extensions[options_pb2.http_status] or 200,
        enveloped=not options.Extensions[options_pb2.without_envelope],
        rest=binding,
        request=method.input_type,
        response=method.output_type,
        emits=tuple(options.Extensions[options_pb2.emits]),
        idempotency=_idempotency(options.Extensions[options_pb2.idempotency], category),
    )


def _idempotency(
    declared: options_pb2.Idempotency.ValueType, category: LimitCategory
) -> Idempotency:
    """What a method says, or what holds where it says nothing; a read takes no key."""
    if category in (LimitCategory.READ, LimitCategory.UNLIMITED):
        return Idempotency.NONE
    if declared == options_pb2.IDEMPOTENCY_UNSPECIFIED:
        return Idempotency.REPLAY
    name = options_pb2.Idempotency.Name(declared).removeprefix(_IDEMPOTENCY_PREFIX)
    return Idempotency(name.lower())


def _binding(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Binding | None:
    verb = rule.WhichOneof("pattern")
    if verb is None:
        return None
    if verb == "custom" or rule.additional_bindings or rule.body not in {"", "*"}:
        raise ContractError(
            f'{method.full_name} must have one URL with an ordinary verb, and body "*" or none'
        )
    return Binding(
        verb=verb.upper(),
        template=getattr(rule, verb),
        has_body=rule.body == "*",
        response_field=rule.response_body,
    )


# The field numbers in descriptor.proto that lead to what carries a comment.
_ELEMENTS = {4: "message_type", 6: "service"}
_PARTS = {"message_type": "field", "service": "method"}
_PART_NUMBER = 2


def _comments(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    """The comment before each service, method, message and field, with its full name."""
    for location in file.source_code_info.location:
        name = _element(file, list(location.path))
        if name and location.leading_comments:
            yield name, " ".join(location.leading_comments.split())


def _element(file: FileDescriptorProto, path: list[int]) -> str:
    """The full name of what a source location points at, or "" if it is something else."""
    if len(path) not in {2, 4} or path[0] not in _ELEMENTS:
        return ""
    kind = _ELEMENTS[path[0]]
    element = getattr(file, kind)[path[1]]
    name = f"{file.package}.{element.name}"
    if len(path) == 2:
        return name
    if path[2] != _PART_NUMBER:
        return ""
    return f"{name}.{getattr(element, _PARTS[kind])[path[3]].name}"
