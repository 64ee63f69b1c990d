# ruff: noqa: RUF001 (names and domains in the scripts of the world)
"""Promises about names: what people are called is taken, what nobody can see is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from portico.auth.v1 import auth_service_pb2 as auth
from portico.keys.v1 import api_key_import_pb2 as imports
from portico.keys.v1 import api_key_service_pb2 as keys
from portico.organizations.v1 import organization_service_pb2 as organizations
from portico.type.v1 import rules_pb2
from portico.users.v1 import user_service_pb2 as users
from protovalidate import Validator

from portico_kit.rpc.validation import field_violations

VALIDATOR = Validator()

NAMED: list[tuple[type[Message], str]] = [
    (auth.RegisterRequest, "display_name"),
    (users.UpdateMeRequest, "display_name"),
    (users.CreateUserRequest, "display_name"),
    (users.UpdateUserRequest, "display_name"),
    (organizations.CreateOrganizationRequest, "name"),
    (organizations.UpdateOrganizationRequest, "name"),
    (keys.CreateApiKeyRequest, "name"),
    (keys.UpdateApiKeyRequest, "name"),
    (imports.ApiKeyImport, "name"),
]
NAMES = [
    "x",
    "李",
    "Ada Lovelace",
    "O'Brien & Söhne (GmbH)",
    "Booking.com",
    "محمد رضا",
    "می\u200cخواهم",  # a non-joiner, as Persian has it
    "क्\u200dष",  # a joiner, as Indic scripts have it
    "葛\U000e0100城",  # a variant of a character, as Japanese names have it
    "👩\u200d💻",
    "❤️",
    "🇩🇪",
    "1\ufe0f\u20e3",
    "é",
    "<b>",
    "=?utf-8?q?x?=",
]
BLANK = [
    "\u200d",
    "\u200c\u200d",
    "\ufe0f",
    "\u0301",
    "\u2800",
    "\u2800 \u2800",
    "\ue000",
    "\U000e0100",
]
UNSEEN = [
    "Ada\nLovelace",
    "Ada\r\nBcc: eve@example.com",
    "Ada\tLovelace",
    "Ada\x1b[2J",
    "Ada\x7f",
    "Ada\x85Lovelace",
    "Ada\x0b\x0cLovelace",
    "Ada\u2028Lovelace",
    "Ada\u2029Lovelace",
    "Ada\u202egnp.exe",
    "Ada\u2066x\u2069",
    "Ada\u200e",
    "Ada\u061c",
    "Ad\u200ba",
    "Ad\u2060a",
    "\ufeffAda",
    "Ad\xada",
    "Ada\U000e0041",
    "Ada\u3164",
    "Ada\ufff9",
    "Ada\uffff",
]


def broken(kind: type[Message], field: str, name: str) -> set[str]:
    """The rules that a name in this field breaks."""
    message = kind(**{field: name})
    violations = VALIDATOR.collect_violations(message)
    named = [one for violation in violations for one in field_violations(violation, message)]
    return {one.reason for one in named if one.field == field}


def given_names(file: Any) -> Iterator[FieldDescriptor]:
    """Every name in the messages of a file that a caller gives, for it has rules."""
    for message in file.message_types_by_name.values():
        for field in message.fields:
            ruled = field.GetOptions().HasExtension(validate_pb2.field)
            if ruled and field.name in {"name", "display_name"}:
                yield field


@pytest.mark.parametrize("name", NAMES)
def test_what_people_are_called_is_a_name(name: str) -> None:
    for kind, field in NAMED:
        assert broken(kind, field, name) == set(), (kind.DESCRIPTOR.full_name, field)


@pytest.mark.parametrize("name", BLANK)
def test_what_nobody_sees_is_no_name(name: str) -> None:
    for kind, field in NAMED:
        assert "STRING_NAME_BLANK" in broken(kind, field, name), (kind.DESCRIPTOR.full_name, field)


@pytest.mark.parametrize("name", UNSEEN)
def test_a_name_has_no_control_or_invisible_characters(name: str) -> None:
    for kind, field in NAMED:
        assert "STRING_NAME_CHARACTERS" in broken(kind, field, name)


@pytest.mark.parametrize("name", [" ", " Ada", "Ada ", "\u00a0Ada", "Ada\u3000"])
def test_a_name_neither_begins_nor_ends_with_white_space(name: str) -> None:
    for kind, field in NAMED:
        assert "STRING_NAME_ENDS" in broken(kind, field, name)


def test_every_name_that_a_caller_gives_follows_the_rule() -> None:
    ruled = {(kind.DESCRIPTOR.full_name, field) for kind, field in NAMED}
    files = {kind.DESCRIPTOR.file.name: kind.DESCRIPTOR.file for kind, _ in NAMED}
    given = [field for file in files.values() for field in given_names(file)]
    assert {tuple(field.full_name.rsplit(".", 1)) for field in given} == ruled
    for field in given:
        rules = field.GetOptions().Extensions[validate_pb2.field].string
        assert rules.Extensions[rules_pb2.name]
        assert rules.min_len == 1
