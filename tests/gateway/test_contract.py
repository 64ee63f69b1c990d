"""What the generator refuses: a contract that leaves its policy open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto
from portico.type.v1 import options_pb2

from portico_contract import CONTRACT_FILE, Contract, ContractError, read

VERIFY = "portico.keys.v1.ApiKeyService.VerifyApiKey"
GET = "portico.keys.v1.ApiKeyService.GetApiKey"


def changed(name: str, change: Callable[[MethodDescriptorProto], None]) -> FileDescriptorSet:
    """The contract with one method changed."""
    files = FileDescriptorSet.FromString(CONTRACT_FILE.read_bytes())
    for file in files.file:
        for service in file.service:
            for method in service.method:
                if f"{file.package}.{service.name}.{method.name}" == name:
                    change(method)
    return files


def refused(name: str, change: Callable[[MethodDescriptorProto], None]) -> str:
    with pytest.raises(ContractError) as refusal:
        read(changed(name, change))
    return str(refusal.value)


def test_a_method_that_does_not_say_who_may_call_it_is_refused() -> None:
    message = refused(GET, lambda method: method.options.ClearExtension(options_pb2.access))
    assert message == f"{GET} does not say who may call it (access)"


def test_a_method_that_does_not_say_what_it_costs_is_refused() -> None:
    message = refused(GET, lambda method: method.options.ClearExtension(options_pb2.limit))
    assert message == f"{GET} does not say what a call costs (limit)"


def test_a_method_with_a_category_that_is_only_for_mails_is_refused() -> None:
    def charge_as_mail(method: MethodDescriptorProto) -> None:
        limit = method.options.Extensions[options_pb2.limit]
        limit.category = options_pb2.LIMIT_CATEGORY_MAIL_SENDER

    message = refused(GET, charge_as_mail)
    assert message == f"{GET} has a limit category that is only for mails"


def test_an_internal_method_with_a_url_is_refused() -> None:
    def expose(method: MethodDescriptorProto) -> None:
        method.options.Extensions[annotations_pb2.http].get = "/api/v1/verify"

    assert refused(VERIFY, expose) == f"{VERIFY} is internal and must not have a URL"


def test_a_second_url_is_refused() -> None:
    def add(method: MethodDescriptorProto) -> None:
        method.options.Extensions[annotations_pb2.http].additional_bindings.add().get = "/x"

    assert GET in refused(GET, add)


def test_pages_are_known_by_their_shape(contract: Contract) -> None:
    pages = {method.name for method in contract.methods if method.list_field}
    named = {
        method.name for method in contract.methods if "next_cursor" in method.output.fields_by_name
    }
    assert pages == named
    assert "ListApiKeys" in pages


def test_every_element_of_the_api_has_a_comment(contract: Contract) -> None:
    for method in contract.methods:
        assert contract.comments[method.service]
        assert contract.comments[method.full_name]
        for field in (*method.input.fields, *method.output.fields):
            assert contract.comments[field.full_name]


def with_session_events(**said: str) -> FileDescriptorSet:
    """The contract in which the service of sessions says something else of its events."""
    files = FileDescriptorSet.FromString(CONTRACT_FILE.read_bytes())
    for file in files.file:
        for service in file.service:
            for family in service.options.Extensions[options_pb2.events]:
                if family.resource == "session":
                    family.Clear()
                    for name, value in {"data": "portico.auth.v1.Session", **said}.items():
                        setattr(family, name, value)
    return files


@pytest.mark.parametrize(
    "said", [{}, {"permission": "keys:read", "platform_permission": "users:read"}], ids=str
)
def test_events_that_nobody_or_two_kinds_of_people_may_read_are_refused(
    said: dict[str, str],
) -> None:
    with pytest.raises(ContractError, match="'session' need one permission or the other"):
        read(with_session_events(resource="session", **said))


def test_events_of_a_resource_that_two_services_claim_or_none_does_are_refused() -> None:
    with pytest.raises(ContractError, match="two services"):
        read(with_session_events(resource="user", platform_permission="users:read"))
    with pytest.raises(ContractError, match=r"no service says who may read session\.created"):
        read(with_session_events(resource="visit", platform_permission="users:read"))


@pytest.mark.parametrize("data", ["", "portico.auth.v1.Visit"])
def test_events_whose_data_is_no_message_are_refused(data: str) -> None:
    said = {"resource": "session", "platform_permission": "users:read", "data": data}
    with pytest.raises(ContractError, match=r"the data of session\.created is no message"):
        read(with_session_events(**said))
