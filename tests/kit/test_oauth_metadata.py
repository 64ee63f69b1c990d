"""What the OAuth server says of itself, and in which words it asks people."""

from __future__ import annotations

import pytest

from portico_contract import organization_permissions
from portico_kit.oauth_metadata import (
    authorization_server_metadata,
    issuer_of,
    openid_configuration,
    protected_resource_metadata,
    same_resource,
)
from portico_kit.oauth_scopes import ORGANIZATION_SCOPES, SCOPES

ISSUER = "https://portico.example"


@pytest.mark.parametrize(
    ("public_url", "issuer"),
    [
        ("https://portico.example", ISSUER),
        ("https://portico.example/", ISSUER),
        ("https://portico.example/app/", ISSUER),
        ("https://Portico.Example:443", ISSUER),
        ("https://portico.example:8443/", "https://portico.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_the_issuer_is_the_public_url_spelled_in_one_way(public_url: str, issuer: str) -> None:
    assert issuer_of(public_url) == issuer


def test_every_permission_is_a_scope_with_a_sentence() -> None:
    assert organization_permissions() <= set(ORGANIZATION_SCOPES)


def test_a_scope_is_asked_for_in_a_sentence() -> None:
    for sentence in SCOPES.values():
        assert sentence[0].isupper()
        assert sentence.endswith(".")


def test_clients_of_mcp_find_that_pkce_is_supported() -> None:
    """They refuse a server that does not say so, in either document."""
    for document in (authorization_server_metadata(ISSUER), openid_configuration(ISSUER)):
        assert document["code_challenge_methods_supported"] == ["S256"]
        assert document["authorization_response_iss_parameter_supported"] is True
        assert document["issuer"] == ISSUER


def test_openid_configuration_has_all_that_is_required() -> None:
    """OpenID Connect Discovery 1.0, section 3."""
    document = openid_configuration(ISSUER)
    required = {
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "response_types_supported",
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
    }
    assert required <= set(document)
    assert "RS256" in document["id_token_signing_alg_values_supported"]
    # Absent means true.
    assert document["request_uri_parameter_supported"] is False


def test_our_own_api_names_the_server_that_gives_its_tokens() -> None:
    document = protected_resource_metadata(ISSUER)
    assert (document["resource"], document["authorization_servers"]) == (ISSUER, [ISSUER])
    assert "offline_access" not in document["scopes_supported"]


def test_a_slash_at_the_end_names_the_same_resource() -> None:
    assert same_resource(ISSUER, f"{ISSUER}/")
    assert not same_resource(ISSUER, f"{ISSUER}/v1")
