"""Whatever bytes arrive, an answer is good or breaks a rule; nothing else happens."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.features.passkeys.ceremonies import BrokenRuleError, registered, shown
from server.features.passkeys.credentials import (
    RegistrationAnswer,
    SignedAnswer,
    registration_answer,
    signed_answer,
)
from server.features.passkeys.relying_party import relying_party
from tests.core.passkeys.conftest import as_struct
from tests.support.authenticator import AT, BE, BS, UP, UV, Authenticator

SITE = relying_party("http://localhost:8080", "Portico", None, ())
BROWSER = Authenticator()
MADE = registration_answer(
    as_struct(
        BROWSER.create({"rp": {"id": "localhost"}, "user": {"id": "AAAA"}, "challenge": "AAAA"})
    )
)
KEY = BROWSER.credentials[0].key.cose_bytes
ANSWER = signed_answer(as_struct(BROWSER.get({"rpId": "localhost", "challenge": "AAAA"})))


def rule_of_registration(attestation: bytes) -> str:
    answer = RegistrationAnswer(MADE.credential_id, MADE.client_data, attestation, [])
    with pytest.raises(BrokenRuleError) as broken:
        registered(answer, SITE)
    return broken.value.rule


def test_what_the_authenticator_makes_is_good() -> None:
    passkey = registered(MADE, SITE)
    assert passkey.credential_id == MADE.credential_id
    assert shown(ANSWER, passkey.public_key, backup_eligible=True, site=SITE).backed_up


@settings(max_examples=300)
@given(st.integers(0, len(MADE.attestation) - 1), st.integers(1, 255))
def test_no_byte_of_a_registration_can_be_another_without_notice(at: int, change: int) -> None:
    """But for what nobody vouches for: the count, the AAGUID and whether there is a copy."""
    changed = bytearray(MADE.attestation)
    changed[at] ^= change
    answer = RegistrationAnswer(MADE.credential_id, MADE.client_data, bytes(changed), [])
    try:
        passkey = registered(answer, SITE)
    except BrokenRuleError:
        return
    assert passkey.credential_id == MADE.credential_id


@settings(max_examples=300)
@given(st.data())
def test_no_byte_of_an_answer_can_be_another(data: st.DataObject) -> None:
    parts = [ANSWER.client_data, ANSWER.authenticator_data, ANSWER.signature]
    which = data.draw(st.integers(0, 2))
    changed = bytearray(parts[which])
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= data.draw(st.integers(1, 255))
    parts[which] = bytes(changed)
    with pytest.raises(BrokenRuleError):
        shown(
            SignedAnswer(ANSWER.credential_id, parts[0], parts[1], parts[2], b""),
            KEY,
            backup_eligible=True,
            site=SITE,
        )


@given(st.binary(max_size=300))
def test_bytes_that_are_made_up_break_a_rule(raw: bytes) -> None:
    assert rule_of_registration(raw) == "attestation_object"
    signed = SignedAnswer(b"x", ANSWER.client_data, raw, b"x", b"")
    with pytest.raises(BrokenRuleError):
        shown(signed, KEY, backup_eligible=True, site=SITE)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.integers(-5, 5) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


def data_with(key: bytes) -> bytes:
    flags = UP | UV | BE | BS | AT
    head = hashlib.sha256(b"localhost").digest() + bytes([flags]) + bytes(4)
    return head + bytes(16) + len(MADE.credential_id).to_bytes(2) + MADE.credential_id + key


@settings(max_examples=300)
@given(VALUES)
def test_cbor_of_another_shape_breaks_a_rule(value: Any) -> None:
    raw = cbor2.dumps(value)
    rule_of_registration(raw)
    whole = {"fmt": "none", "attStmt": {}, "authData": data_with(raw)}
    rule_of_registration(cbor2.dumps(whole))
    for name in ("fmt", "authData"):
        right = {"fmt": "none", "attStmt": {}, "authData": data_with(KEY)}
        rule_of_registration(cbor2.dumps({**right, name: value}))


@given(VALUES)
def test_keys_of_another_shape_break_a_rule(value: Any) -> None:
    for label in (1, 3, -1, -2):
        if value != cbor2.loads(KEY)[label]:
            key = cbor2.dumps({**cbor2.loads(KEY), label: value})
            whole = {"fmt": "none", "attStmt": {}, "authData": data_with(key)}
            rule_of_registration(cbor2.dumps(whole))


@given(VALUES)
def test_statements_of_another_shape_do_no_harm(value: Any) -> None:
    for form in ("none", "packed"):
        whole = {"fmt": form, "attStmt": value, "authData": data_with(KEY)}
        answer = RegistrationAnswer(MADE.credential_id, MADE.client_data, cbor2.dumps(whole), [])
        try:
            registered(answer, SITE)
        except BrokenRuleError as broken:
            assert broken.rule in {"attestation", "attestation_object"}  # noqa: PT017


@given(st.text() | st.none() | st.integers() | st.lists(st.text()))
def test_members_of_another_type_break_a_rule(value: Any) -> None:
    right = json.loads(MADE.client_data)
    for name in ("type", "origin", "crossOrigin", "topOrigin"):
        if value == right.get(name, ...) or (name == "crossOrigin" and value is False):
            continue
        data = json.dumps({**right, name: value}).encode()
        answer = RegistrationAnswer(MADE.credential_id, data, MADE.attestation, [])
        with pytest.raises(BrokenRuleError):
            registered(answer, SITE)
