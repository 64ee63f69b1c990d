"""Cursors are opaque: none of another list, another caller or another maker is taken."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portico.keys.v1.api_key_service_pb2 import ListApiKeysRequest
from portico.users.v1.user_service_pb2 import ListUsersRequest

from portico_kit.errors import InvalidRequestError
from portico_kit.paging import DEFAULT_LIMIT, Cursors
from portico_kit.secrets import Secrets

CURSORS = Cursors(Secrets(bytes(32)))


def cursor_of(request: object, *scope: object) -> str:
    """A cursor as the list itself would hand it out."""
    return CURSORS.encode(["2026-01-01", "b"], CURSORS.paging(request, *scope).binding)


def test_a_cursor_comes_back_as_the_position_it_was_made_of() -> None:
    request = ListUsersRequest(search="ada")
    request.cursor = cursor_of(request, "somebody")
    paging = CURSORS.paging(request, "somebody")
    assert paging.after == ["2026-01-01", "b"]
    assert paging.limit == DEFAULT_LIMIT


def test_the_page_size_may_change_on_the_way() -> None:
    request = ListUsersRequest(limit=5)
    request.cursor = cursor_of(request)
    request.limit = 50
    assert CURSORS.paging(request).after is not None


@pytest.mark.parametrize(
    ("made_for", "used_for"),
    [
        ((ListUsersRequest(search="ada"),), (ListUsersRequest(search="eve"),)),
        ((ListUsersRequest(), "ada"), (ListUsersRequest(), "eve")),
        ((ListUsersRequest(),), (ListApiKeysRequest(),)),
        ((ListApiKeysRequest(organization_id="a"),), (ListApiKeysRequest(organization_id="b"),)),
    ],
)
def test_a_cursor_of_another_list_is_refused(
    made_for: tuple[object, ...], used_for: tuple[ListUsersRequest, ...]
) -> None:
    request, *scope = used_for
    request.cursor = cursor_of(*made_for)
    with pytest.raises(InvalidRequestError):
        CURSORS.paging(request, *scope)


def test_a_cursor_of_another_maker_is_refused() -> None:
    other = Cursors(Secrets(bytes([1]) * 32))
    request = ListUsersRequest()
    request.cursor = other.encode(["x"], other.paging(request).binding)
    with pytest.raises(InvalidRequestError):
        CURSORS.paging(request)


@given(junk=st.one_of(st.text(min_size=1), st.binary(min_size=1)))
def test_junk_is_refused_and_never_a_surprise(junk: str | bytes) -> None:
    text = base64.urlsafe_b64encode(junk).decode() if isinstance(junk, bytes) else junk
    with pytest.raises(InvalidRequestError):
        CURSORS.paging(ListUsersRequest(cursor=text))


def test_a_cursor_behind_the_longest_name_fits_into_a_request() -> None:
    binding = CURSORS.paging(ListUsersRequest()).binding
    cursor = CURSORS.encode(["\U0001f3e0" * 100, "01890a5d-ac96-774b-bcce-b302099a8057"], binding)
    assert len(cursor) <= 1000
