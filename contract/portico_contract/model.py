"""A contract as the platform sees it: every method with its URL, access, cost and time."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from google.protobuf.descriptor import Descriptor, MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from portico.type.v1 import options_pb2

from portico_contract.limit_categories import LimitCategory

# Under which some systems know event types: webhooks may subscribe to these, and nothing
# happens under them (server/common/event_names.py).
OTHER_NAMES = ("mfa.enabled", "user.login", "user.logout")


class ContractError(Exception):
    """The contract leaves something out or contradicts itself; the message names the method."""


class AccessRule(StrEnum):
    """Who may call a method; the values are the names in `portico.type.v1.Access`."""

    PUBLIC = "public"
    SIGNED_IN = "signed_in"
    PERMISSION = "permission"
    PLATFORM_PERMISSION = "platform_permission"
    INTERNAL = "internal"


class AssuranceLevel(StrEnum):
    """How surely a person must have signed in; the values are the names in `portico.type.v1`."""

    SECOND_FACTOR_IF_ENROLLED = "second_factor_if_enrolled"
    HIGHEST_ENROLLED = "highest_enrolled"
    AAL2 = "aal2"
    PHISHING_RESISTANT = "phishing_resistant"


@dataclass(frozen=True, slots=True)
class StepUp:
    """What a method asks of a person's sign-in (RFC 9470).

    Attributes:
        max_age: how long ago the factor may have been shown, in seconds; None for any time.
    """

    level: AssuranceLevel
    max_age: int | None


class Idempotency(StrEnum):
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
        answers_head: whether HEAD is answered as GET is.
    """

    verb: str
    template: str
    has_body: bool
    response_field: str
    answers_head: bool


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a contract.

    Attributes:
        service: the full name, "portico.keys.v1.ApiKeyService".
        path: as gRPC names it, "/portico.keys.v1.ApiKeyService/GetApiKey".
        access: which of the rules of `portico.type.v1.Access` holds.
        permission: what the caller must hold, or "".
        or_self: the request field that names the person who needs no permission, or "".
        step_up: how surely a person must have signed in; None if any session will do.
        category: the budget that a call is charged to.
        cost: how much a call takes from the budget.
        reads: whether it changes nothing.
        status: the HTTP status of success.
        enveloped: whether the REST answer is wrapped.
        rest: the REST form; None for methods that only gRPC has.
        emits: the event types it may cause.
        idempotency: what becomes of an Idempotency-Key.
        streaming: whether the answer is a stream of messages.
        timeout: how long a call may take, in seconds; None for the platform's usual time.
        names_organization: whether the request says which organization it is about.
        masked: whether a mask names what it changes.
        input: what the request consists of.
        output: what the answer, or each message of a stream, consists of.
    """

    service: str
    name: str
    path: str
    access: AccessRule
    permission: str
    or_self: str
    step_up: StepUp | None
    category: LimitCategory
    cost: int
    reads: bool
    status: int
    enveloped: bool
    rest: Binding | None
    emits: frozenset[str]
    idempotency: Idempotency
    streaming: bool
    timeout: float | None
    names_organization: bool
    masked: bool
    input: Descriptor
    output: Descriptor
    request: type[Message]
    response: type[Message]

    @property
    def full_name(self) -> str:
        """The name in the descriptor set."""
        return f"{self.service}.{self.name}"

    @property
    def list_field(self) -> str:
        """The field that holds the items of a page, or "" if the answer is not a page."""
        names = [field.name for field in self.output.fields]
        return names[0] if names[1:] == ["next_cursor", "has_more"] else ""

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether a call with a key that is repeated happens once."""
        return self.idempotency.takes_key

    @property
    def gives_credential(self) -> bool:
        """Whether the answer holds a credential, which a repetition must not show."""
        return self.idempotency is Idempotency.CREDENTIAL_ONCE


@dataclass(frozen=True)
class Contract:
    """Everything that is served, routed or described.

    Attributes:
        services: in the order of the contract's files.
        methods: in the order of the services.
        comments: the text beside each element, by full name.
    """

    services: tuple[ServiceDescriptor, ...]
    methods: tuple[Method, ...]
    comments: dict[str, str] = field(default_factory=dict)

    @property
    def routed(self) -> tuple[Method, ...]:
        """The methods that the outside can reach: all but the internal ones."""
        return tuple(m for m in self.methods if m.access is not AccessRule.INTERNAL)

    @cached_property
    def organization_permissions(self) -> frozenset[str]:
        """Every permission that can be held in an organization; also every scope of a key."""
        guarded = (m for m in self.methods if m.access is AccessRule.PERMISSION)
        return frozenset(method.permission for method in guarded)

    @cached_property
    def event_types(self) -> dict[str, MethodDescriptor]:
        """Every event type, with the method that causes it, by name."""
        found = {
            event: method
            for service in self.services
            for method in service.methods
            for event in method.GetOptions().Extensions[options_pb2.emits]
        }
        return dict(sorted(found.items()))

    @cached_property
    def event_permissions(self) -> dict[str, str]:
        """The permission that shows what an event type shows, by the type's name.

        Those that belong to organizations; see `platform_event_permissions`.

        Raises:
            ContractError: if the events about a kind of resource belong to no service, or to
                two, or it is not said who may read them.
        """
        families = self._families
        return {
            name: families[_resource(name)].permission
            for name in self.event_types
            if families[_resource(name)].permission
        }

    @cached_property
    def platform_event_permissions(self) -> dict[str, str]:
        """The same of event types that belong to no organization: permissions on the platform."""
        families = self._families
        return {
            name: families[_resource(name)].platform_permission
            for name in self.event_types
            if families[_resource(name)].platform_permission
        }

    @cached_property
    def event_data(self) -> dict[str, Descriptor]:
        """The message that is the data of an event type, by the type's name.

        Raises:
            ContractError: if a family does not name it, or names one that is not there.
        """
        return {name: self._data(name) for name in self.event_types}

    @cached_property
    def event_examples(self) -> dict[str, str]:
        """What differs in the example of an event type, as a JSON object; by the type's name."""
        return {name: event.example for name, event in self._exceptions.items() if event.example}

    def _data(self, event_type: str) -> Descriptor:
        exception = self._exceptions.get(event_type)
        own = exception.data if exception is not None else ""
        name = own or self._families[_resource(event_type)].data
        pool = self.event_types[event_type].containing_service.file.pool
        try:
            return pool.FindMessageTypeByName(name)
        except KeyError:
            raise ContractError(f"the data of {event_type} is no message: {name!r}") from None

    @cached_property
    def _exceptions(self) -> dict[str, options_pb2.EventData]:
        """The event types whose data differs from that of their family."""
        declared = {
            event.type: event for family in self._families.values() for event in family.exceptions
        }
        unknown = declared.keys() - self.event_types.keys()
        if unknown:
            raise ContractError(f"no method emits {', '.join(sorted(unknown))}")
        return declared

    @cached_property
    def _families(self) -> dict[str, options_pb2.EventFamily]:
        """Who may read the events about each kind of resource that has any."""
        declared = [
            family
            for service in self.services
            for family in service.GetOptions().Extensions[options_pb2.events]
        ]
        families = {family.resource: family for family in declared}
        if len(families) != len(declared):
            raise ContractError("two services say who may read the same events")
        for resource, family in families.items():
            if bool(family.permission) == bool(family.platform_permission):
                raise ContractError(f"events of {resource!r} need one permission or the other")
        unknown = {name for name in self.event_types if _resource(name) not in families}
        if unknown:
            raise ContractError(f"no service says who may read {', '.join(sorted(unknown))}")
        return families

    def names(self, vocabulary: options_pb2.Vocabulary.ValueType) -> list[str]:
        """The names that a field with this option can hold; none if it can hold any text."""
        if vocabulary == options_pb2.VOCABULARY_PERMISSIONS:
            return sorted(self.organization_permissions)
        if vocabulary == options_pb2.VOCABULARY_EVENT_TYPES:
            return ["*", *sorted({*self.event_types, *OTHER_NAMES})]
        return []


def _resource(event_type: str) -> str:
    """The kind of resource that an event is about: "key" for "key.revoked"."""
    return event_type.partition(".")[0]
