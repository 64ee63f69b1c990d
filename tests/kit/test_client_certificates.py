"""A certificate counts if our proxy tells it, and nobody else."""

from __future__ import annotations

import base64

import pytest

from portico_kit.client_certificates import (
    ClientCertificates,
    binding,
    bound_certificate,
    is_bound_to,
    thumbprint,
)

SECRET = "s" * 32
DER = b"\x30\x03abc"
TOLD = f":{base64.b64encode(DER).decode()}:"
READER = ClientCertificates(SECRET)


def test_the_proxy_tells_a_certificate() -> None:
    assert READER.read([SECRET], [TOLD]) == DER


@pytest.mark.parametrize("secrets", [[], [""], ["wrong"], ["é"], [SECRET, SECRET], [f"{SECRET} "]])
def test_nobody_else_does(secrets: list[str]) -> None:
    assert READER.read(secrets, [TOLD]) == b""


@pytest.mark.parametrize("secrets", [[], [""], ["x"]])
def test_without_a_setting_nobody_does(secrets: list[str]) -> None:
    assert ClientCertificates("").read(secrets, [TOLD]) == b""


@pytest.mark.parametrize(
    "certificates",
    [
        [],
        [""],
        [":"],
        ["::"],
        ["abc"],
        [":a:"],
        [":a b=:"],
        [TOLD, TOLD],
        [f"{TOLD}, {TOLD}"],
        [f":{'A' * 20_000}:"],
        ["-----BEGIN CERTIFICATE-----"],
    ],
)
def test_what_is_malformed_or_there_twice_is_none(certificates: list[str]) -> None:
    assert READER.read([SECRET], certificates) == b""


def test_a_token_is_bound_to_one_certificate() -> None:
    claims = {"cnf": {"x5t#S256": thumbprint(DER)}}
    assert binding(DER) == f"x5t#S256:{bound_certificate(claims)}"
    assert is_bound_to(claims, DER)
    assert not is_bound_to(claims, b"another")
    assert not is_bound_to(claims, b"")
    assert binding(b"") == ""


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"cnf": None},
        {"cnf": {}},
        {"cnf": {"jkt": "a"}},
        {"cnf": {"x5t#S256": ""}},
        {"cnf": {"x5t#S256": 1}},
        {"cnf": {"x5t#S256": "é"}},
        {"cnf": {"x5t#S256": thumbprint(DER), "jkt": "a"}},
    ],
)
def test_a_token_with_another_binding_is_bound_to_no_certificate(claims: dict[str, object]) -> None:
    assert bound_certificate(claims) == ""
    assert not is_bound_to(claims, DER)
