"""Reads contracts from descriptor sets, which `portico generate` writes.

Nothing here names a file or a service: what a set holds beside its imports is the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message_factory import GetMessageClass
from portico.type.v1 import options_pb2

from portico_contract.limit_categories import BY_MAIL, LimitCategory
from portico_contract.model import (
    AccessRule,
    AssuranceLevel,
    Binding,
    Contract,
    ContractError,
    Idempotency,
    Method,
    StepUp,
)

# The packages that contracts import and that are none.
_IMPORTED = ("google.", "buf.")
_ASSURANCE_PREFIX = "ASSURANCE_"
MAX_FACTOR_AGE = 86_400  # seconds
_IDEMPOTENCY_PREFIX = "IDEMPOTENCY_"
# The longest time that a method can name, and that of a stream that names none, in seconds.
MAX_CALL_SECONDS = 300
MAX_STREAM_SECONDS = 24 * 60 * 60
DEFAULT_STREAM_SECONDS = 60 * 60.0
_READS = (LimitCategory.READ, LimitCategory.UNLIMITED)


def load(*paths: Path) -> Contract:
    """Reads descriptor sets, with imports and comments, as one contract.

    Raises:
        ContractError: if a method leaves out what it must say.
        OSError: if there is no such file.
    """
    return read(*(FileDescriptorSet.FromString(path.read_bytes()) for path in paths))


def read(*sets: FileDescriptorSet) -> Contract:
    """Reads descriptor sets that are already in memory; see `load`."""
    files = _files(sets)
    pool = DescriptorPool()
    for file in files:
        pool.AddSerializedFile(file.SerializeToString())
    comments: dict[str, str] = {}
    for file in _own(files):
        comments.update(_comments(file))
    return _contract(pool, files, comments)


def load_generated(*paths: Path) -> Contract:
    """Reads descriptor sets whose generated modules are installed; without the comments.

    The messages are those of the modules, so that a service and its caller share them.

    Raises:
        ContractError: if a method leaves out what it must say.
        ImportError: if a module is missing.
        OSError: if there is no such file.
    """
    files = _files(FileDescriptorSet.FromString(path.read_bytes()) for path in paths)
    for file in _own(files):
        if file.service:
            import_module(file.name.removesuffix(".proto").replace("/", ".") + "_pb2")
    return _contract(descriptor_pool.Default(), files, {})


def _files(sets: Iterable[FileDescriptorSet]) -> list[FileDescriptorProto]:
    """Every file once: sets share their imports."""
    return list({file.name: file for each in sets for file in each.file}.values())


def _own(files: Iterable[FileDescriptorProto]) -> Iterator[FileDescriptorProto]:
    return (file for file in files if not f"{file.package}.".startswith(_IMPORTED))


def _contract(
    pool: DescriptorPool, files: Iterable[FileDescriptorProto], comments: dict[str, str]
) -> Contract:
    services = tuple(
        pool.FindServiceByName(f"{file.package}.{service.name}")
        for file in _own(files)
        for service in file.service
    )
    methods = tuple(method for service in services for method in methods_of(service))
    contract = Contract(services, methods, comments)
    # Asked for, so that a contract that leaves it out is refused as soon as it is read.
    _ = contract.event_permissions, contract.event_data
    return contract


def methods_of(service: ServiceDescriptor) -> list[Method]:
    """Every method of a service.

    Raises:
        ContractError: if one does not say who may call it or what it costs, or gives out
            a credential and does not say what a repetition gets.
    """
    return [_method(service, method) for method in service.methods]


def _method(service: ServiceDescriptor, method: MethodDescriptor) -> Method:
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    rule = _rule(method, access)
    category = _category(method, options.Extensions[options_pb2.limit])
    binding = _binding(method, options.Extensions[annotations_pb2.http])
    if rule is AccessRule.INTERNAL and binding is not None:
        raise ContractError(f"{method.full_name} is internal and must not have a URL")
    return Method(
        service=service.full_name,
        name=method.name,
        path=f"/{service.full_name}/{method.name}",
        access=rule,
        permission=access.permission or access.platform_permission,
        or_self=access.or_self,
        step_up=_step_up(method, rule, access),
        category=category,
        cost=options.Extensions[options_pb2.limit].cost or 1,
        reads=category in _READS,
        status=options.Extensions[options_pb2.http_status] or 200,
        enveloped=not options.Extensions[options_pb2.without_envelope],
        rest=binding,
        emits=frozenset(options.Extensions[options_pb2.emits]),
        idempotency=_idempotency(method, category),
        streaming=_streaming(method),
        timeout=_timeout(method, options.Extensions[options_pb2.timeout]),
        names_organization="organization_id" in method.input_type.fields_by_name,
        masked="update_mask" in method.input_type.fields_by_name,
        input=method.input_type,
        output=method.output_type,
        request=GetMessageClass(method.input_type),
        response=GetMessageClass(method.output_type),
    )


def _rule(method: MethodDescriptor, access: options_pb2.Access) -> AccessRule:
    rule = access.WhichOneof("rule")
    if rule is None:
        raise ContractError(f"{method.full_name} does not say who may call it (access)")
    return AccessRule(rule)


def _step_up(
    method: MethodDescriptor, rule: AccessRule, access: options_pb2.Access
) -> StepUp | None:
    """What the access option asks of a person's sign-in."""
    dated = access.HasField("max_age")
    if access.assurance == options_pb2.ASSURANCE_UNSPECIFIED:
        if dated:
            raise ContractError(f"{method.full_name} names an age of no factor (assurance)")
        return None
    if rule in (AccessRule.PUBLIC, AccessRule.INTERNAL):
        raise ContractError(f"{method.full_name} has no person who could step up (assurance)")
    name = options_pb2.Assurance.Name(access.assurance).removeprefix(_ASSURANCE_PREFIX)
    if dated and not (1 <= access.max_age.seconds <= MAX_FACTOR_AGE and not access.max_age.nanos):
        raise ContractError(f"{method.full_name} must name an age of 1 s to 1 day (max_age)")
    return StepUp(AssuranceLevel(name.lower()), access.max_age.seconds if dated else None)


def _category(method: MethodDescriptor, limit: options_pb2.Limit) -> LimitCategory:
    if limit.category == options_pb2.LIMIT_CATEGORY_UNSPECIFIED:
        raise ContractError(f"{method.full_name} does not say what a call costs (limit)")
    category = LimitCategory.of(limit.category)
    if category in BY_MAIL:
        raise ContractError(f"{method.full_name} has a limit category that is only for mails")
    return category


def _streaming(method: MethodDescriptor) -> bool:
    if method.client_streaming:
        raise ContractError(f"{method.full_name} takes a stream; only answers can be one")
    return bool(method.server_streaming)


def _timeout(method: MethodDescriptor, declared: Duration) -> float | None:
    """In seconds; a stream has one of its own, a call that names none the platform's."""
    usual = DEFAULT_STREAM_SECONDS if method.server_streaming else None
    longest = MAX_STREAM_SECONDS if method.server_streaming else MAX_CALL_SECONDS
    if not method.GetOptions().HasExtension(options_pb2.timeout):
        return usual
    timeout = declared.seconds + declared.nanos / 1e9
    if not 0.001 <= timeout <= longest:
        raise ContractError(f"{method.full_name} must end within {longest} s (timeout)")
    return timeout


def _idempotency(method: MethodDescriptor, category: LimitCategory) -> Idempotency:
    """What a method says, or what holds where it says nothing; a read takes no key."""
    if category in _READS:
        return Idempotency.NONE
    declared = _declared_idempotency(method)
    gives_credential = any(is_sensitive(field) for field in method.output_type.fields)
    if gives_credential and declared not in (Idempotency.CREDENTIAL_ONCE, Idempotency.NONE):
        raise ContractError(f"{method.full_name} would repeat a credential (idempotency)")
    if method.server_streaming and declared is not Idempotency.NONE:
        raise ContractError(f"{method.full_name} is a stream, which is not kept (idempotency)")
    return declared


def _declared_idempotency(method: MethodDescriptor) -> Idempotency:
    declared = method.GetOptions().Extensions[options_pb2.idempotency]
    if declared == options_pb2.IDEMPOTENCY_UNSPECIFIED:
        return Idempotency.REPLAY
    name = options_pb2.Idempotency.Name(declared).removeprefix(_IDEMPOTENCY_PREFIX)
    return Idempotency(name.lower())


def is_sensitive(field: FieldDescriptor) -> bool:
    """Whether a field's value is never logged."""
    return bool(field.GetOptions().Extensions[options_pb2.sensitive])


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
        answers_head=verb == "get" and not method.server_streaming,
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
