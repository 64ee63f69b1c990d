"""The strict reading of bodies: against a corpus, and against Python's own readers."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.gateway.bodies import body_fields
from edge.gateway.paths import variables
from portico_contract import CONTRACT_FILE, Method, load
from tests.gateway.strict_json import Reader, Reading

METHODS = [m for m in load(CONTRACT_FILE).routed if m.rest is not None and m.rest.has_body]
READER = Reader()
CREATE = ("POST", "/api/v1/organizations/{organization_id}/api-keys")
UPDATE = ("PATCH", "/api/v1/api-keys/{api_key_id}")
IMPORT = ("POST", "/api/v1/api-keys/import")
ME = ("PATCH", "/api/v1/users/me")
LIMITS = ("PUT", "/api/v1/organizations/{organization_id}/limits")
WEBHOOK = ("PATCH", "/api/v1/webhooks/{webhook_id}")


def read(where: tuple[str, str], body: bytes | str) -> Reading:
    return READER.read(*where, body.encode() if isinstance(body, str) else body)


def fields(reading: Reading) -> dict[str, str]:
    return {problem.field: problem.code for problem in reading.problems}


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"x",}',
        b"{'name':'x'}",
        b'{name:"x"}',
        b'{"name":"x"',
        b'{"name":"x"}}',
        b'{"name":"x"}{}',
        b'{"name":"x"};',
        b'{"name" "x"}',
        b'{"name"::"x"}',
        b'{"name":}',
        b'{,"name":"x"}',
        b'{"name":"x" "slug":"y"}',
        b'{"name":"x",,"slug":"y"}',
        b'{"scopes":["a",]}',
        b'{"scopes":[,"a"]}',
        b'{"scopes":["a" "b"]}',
        b'{"scopes":["a"}',
        b'{"name":"a\nb"}',
        b'{"name":"a\tb"}',
        b'{"name":"a\x00b"}',
        b'{"name":"\\x41"}',
        b'{"name":"\\u12"}',
        b'{"name":"\\u12g4"}',
        b'{"name":"\\ud800"}',
        b'{"name":"\\udc00\\ud800"}',
        b'{"name":"\\ud800\\u0041"}',
        b'{"name":"\\"}',
        b'{"name":"x","name":"y"}',
        b'{"name":"x","na\\u006de":"y"}',
        b'{"limits":{"perDay":1,"perDay":1}}',
        b'{"unknown":[{"a":1,"a":2}]}',
        b'{"name":True}',
        b'{"name":nul}',
        b'{"name":NaN}',
        b'{"name":Infinity}',
        b'{"name":-Infinity}',
        b'{"limits":{"perDay":01}}',
        b'{"limits":{"perDay":+1}}',
        b'{"limits":{"perDay":.5}}',
        b'{"limits":{"perDay":1.}}',
        b'{"limits":{"perDay":1e}}',
        b'{"limits":{"perDay":0x1}}',
        b'{"limits":{"perDay":--1}}',
        b'{"limits":{"perDay":1 2}}',
        b'{"name":"x"/* comment */}',
        b'{"name":"x"} // comment',
        b'\xef\xbb\xbf{"name":"x"}',
        b'{"name":"\xff"}',
        b'{"name":"\xc3"}',
        b'{"name":"\xc0\xaf"}',
        b'{"name":"\xed\xa0\x80"}',
        b'{"name":"\xf5\x80\x80\x80"}',
        b'{"name":"\xe2\x82"}',
        '{"name":"x"}'.encode("utf-16"),
        b"",
        b"  ",
        b"{",
        b"x",
        b"[1,]",
        b'{"unknown":' + b"[" * 100 + b"]" * 100 + b"}",
    ],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    assert read(CREATE, body).malformed


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        ' \t\r\n{ \t\r\n"name" \t\r\n: \t\r\n"x" \t\r\n, "scopes" : [ "a" , "b" ] } \n',
        '{"na\\u006de":"x"}',
        '{"name":"\\ud83d\\ude00 \\u0000 \\" \\\\ \\/ \\b\\f\\n\\r\\t"}',
        '{"name":"é€😀\x7f"}',
        '{"limits":{"perDay":1e2,"perHour":1.0,"perMinute":100E-2,"perMonth":10E+1}}',
        '{"expiresAt":"2030-02-28T23:59:59.123456789Z"}',
        '{"expiresAt":"2032-02-29T00:00:00-23:59"}',
        '{"name":null,"scopes":null,"limits":null,"expiresAt":null}',
        '{"limits":{"perDay":null}}',
    ],
)
def test_all_that_json_allows_is_read(body: str) -> None:
    assert read(CREATE, body).accepted


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "true", "null", '[{"name":"x"}]'])
def test_a_body_that_is_no_object_is_told_apart(body: str) -> None:
    assert read(CREATE, body).no_object


def test_every_unknown_name_is_found_at_any_depth() -> None:
    body = {"nam": "x", "limits": {"perMinuet": 1, "per_hour": 1}, "allowedCidr": [], "": 1}
    reading = read(CREATE, json.dumps(body))
    assert set(fields(reading).values()) == {"UNKNOWN_FIELD"}
    assert set(fields(reading)) == {
        "nam",
        "limits.perMinuet",
        "limits.per_hour",
        "allowedCidr",
        '""',
    }
    assert "perHour" in next(p.message for p in reading.problems if p.field == "limits.per_hour")


def test_an_item_of_a_list_is_named_by_its_place() -> None:
    body = {"keys": [{}, {"scopes": ["a", None], "limits": {"perDay": "1"}, "expireAt": ""}]}
    assert fields(read(IMPORT, json.dumps(body))) == {
        "keys[1].scopes[1]": "INVALID_TYPE",
        "keys[1].limits.perDay": "INVALID_TYPE",
        "keys[1].expireAt": "UNKNOWN_FIELD",
    }


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (WEBHOOK, "enabled", "yes"),
        (WEBHOOK, "enabled", "true"),
        (WEBHOOK, "enabled", 1),
        (WEBHOOK, "enabled", []),
        (WEBHOOK, "url", 5),
        (WEBHOOK, "url", True),
        (WEBHOOK, "url", {}),
        (WEBHOOK, "eventTypes", "key.created"),
        (WEBHOOK, "eventTypes", {}),
        (CREATE, "limits", []),
        (CREATE, "limits", "perMinute"),
        (CREATE, "expiresAt", 5),
        (CREATE, "expiresAt", "2030-02-30T00:00:00Z"),
        (CREATE, "expiresAt", "2030-01-01 00:00:00Z"),
        (CREATE, "expiresAt", "2030-01-01T24:00:00Z"),
        (CREATE, "expiresAt", "2030-01-01T00:00:00"),
        (CREATE, "expiresAt", "2030-01-01T00:00:00.1234567890Z"),
        (CREATE, "expiresAt", "2030-01-01T00:00:00+24:00"),
        (CREATE, "expiresAt", "0000-01-01T00:00:00Z"),
        (LIMITS, "multiplierPercent", "100"),
        (LIMITS, "multiplierPercent", 1.5),
        (LIMITS, "multiplierPercent", -1),
        (LIMITS, "multiplierPercent", 2**32),
        (LIMITS, "multiplierPercent", 1e300),
        (IMPORT, "hmacKey", "A"),
        (IMPORT, "hmacKey", "QR=="),
        (IMPORT, "hmacKey", "QQ="),
        (IMPORT, "hmacKey", "QQ==="),
        (IMPORT, "hmacKey", "Q Q="),
    ],
)
def test_a_value_of_another_type_is_a_problem(
    where: tuple[str, str], name: str, value: Any
) -> None:
    assert fields(read(where, json.dumps({name: value}))) == {name: "INVALID_TYPE"}


def test_the_mask_is_all_names_that_stood_in_the_body() -> None:
    body: Any = {"name": "x", "expiresAt": None, "allowedCidrs": [], "limits": {"perDay": None}}
    assert read(UPDATE, json.dumps(body)).mask == ("allowedCidrs", "expiresAt", "limits", "name")
    assert read(UPDATE, "{}").mask == ()


def test_the_mask_goes_into_what_is_changed_member_by_member() -> None:
    body = {"bio": "", "preferences": {"theme": None, "notifications": {"email": True}}}
    mask = ("bio", "preferences.notifications.email", "preferences.theme")
    assert read(ME, json.dumps(body)).mask == mask
    assert read(ME, '{"preferences":null}').mask == ("preferences",)
    assert read(ME, '{"preferences":{"notifications":null}}').mask == ("preferences.notifications",)
    assert read(ME, '{"preferences":{}}').mask == ()


def test_nobody_writes_the_mask_themselves() -> None:
    for name in ("updateMask", "update_mask"):
        assert fields(read(UPDATE, json.dumps({name: "name"}))) == {name: "UNKNOWN_FIELD"}


def test_what_names_the_resource_stands_in_the_path_alone() -> None:
    assert fields(read(UPDATE, '{"apiKeyId":"x"}')) == {"apiKeyId": "UNKNOWN_FIELD"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"unknown":[' + b"[]," * 300_000 + b"1]}",
        b'{"unknown":{' + b",".join(b'"%d":1' % n for n in range(80_000)) + b"}}",
        b'{"' + b"\\u00e9" * 170_000 + b'":1}',
        b'{"unknown":' + b"[" * 1_000_000,
    ],
)
def test_what_would_take_long_to_read_is_given_up(body: bytes) -> None:
    assert read(CREATE, body).malformed


def test_problems_are_counted_to_twenty_and_names_are_shortened() -> None:
    body = json.dumps({f"x{n}" * 60: n for n in range(100)})
    problems = read(CREATE, body).problems
    assert len(problems) == 20
    assert all(len(problem.field) < 110 for problem in problems)


def test_the_largest_import_is_read() -> None:
    scopes, cidrs = [f"a:{'b' * 60}"] * 50, ["192.0.2.0/24"] * 50
    key = {"name": "n" * 100, "prefix": "p" * 32, "scopes": scopes, "allowedCidrs": cidrs}
    assert read(IMPORT, json.dumps({"keys": [{**key, "bcrypt": "b" * 60}] * 100})).accepted


# What a caller may send, right and wrong ---------------------------------------------

TIMES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**33), 2**33)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | TIMES
    | st.binary(max_size=6).map(lambda raw: base64.b64encode(raw).decode())
    | st.sampled_from(["yes", "true", "5", "1.0", "2030-01-01T00:00:00Z", "QR=="])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


def fitting(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values that are mostly of the field's type."""
    message = field.message_type
    kinds: dict[int, st.SearchStrategy[Any]] = {
        FieldDescriptor.TYPE_STRING: st.text(max_size=8),
        FieldDescriptor.TYPE_BOOL: st.booleans(),
        FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
        FieldDescriptor.TYPE_BYTES: st.binary(max_size=6).map(
            lambda raw: base64.b64encode(raw).decode()
        ),
    }
    right: st.SearchStrategy[Any]
    if message is not None and message.full_name.endswith("Struct"):
        right = st.dictionaries(st.text(max_size=5), VALUES, max_size=3)
    elif message is not None:
        right = TIMES if message.full_name.endswith("Timestamp") else bodies(list(message.fields))
    else:
        right = kinds[field.type]
    return st.lists(right | SCALARS, max_size=3) if field.is_repeated else right


def bodies(known: list[FieldDescriptor]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with known names, now and then the contract's own spelling or an unknown one."""
    right = {field.json_name: fitting(field) | VALUES for field in known}
    others = st.sampled_from([f.name for f in known] + ["unknown"]) if known else st.just("x")
    return st.builds(
        lambda named, more: {**named, **more},
        st.fixed_dictionaries({}, optional=right),
        st.just({}) | st.dictionaries(others, VALUES, max_size=1),
    )


def requests() -> st.SearchStrategy[tuple[Method, dict[str, Any]]]:
    def body_of(method: Method) -> st.SearchStrategy[tuple[Method, dict[str, Any]]]:
        assert method.rest is not None
        known = body_fields(method.input, variables(method.rest.template))
        return st.tuples(st.just(method), bodies(known))

    return st.sampled_from(METHODS).flatmap(body_of)


# What is refused here and not by the reference: JSON has a type for each of these.
STRICTER = re.compile(
    r"must be an integer|must be base64|must be a time|must be true or false"
    r"|must be a list|must be a string|must be an object|There is no such field"
)


def reference(method: Method, text: str) -> str:
    """Why protobuf's own reader refuses a body, or ""."""
    try:
        json_format.Parse(text, method.request(), ignore_unknown_fields=False)
    except json_format.ParseError as error:
        return str(error) or "refused"
    return ""


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(), st.booleans())
def test_what_is_accepted_protobuf_reads_too(
    case: tuple[Method, dict[str, Any]], ascii_only: bool
) -> None:
    method, body = case
    assert method.rest is not None
    text = json.dumps(body, ensure_ascii=ascii_only)
    reading = READER.read(method.rest.verb, method.rest.template, text.encode())
    refused = reference(method, text)
    assert not reading.malformed
    if reading.accepted:
        assert not refused
    if refused:
        assert reading.problems
    for problem in reading.problems:
        assert problem.field
        assert STRICTER.search(problem.message)


def no_pairs_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def is_json(text: bytes) -> bool:
    """Whether Python reads it, strictly."""
    try:
        value = json.loads(
            text.decode(), object_pairs_hook=no_pairs_twice, parse_constant=no_constant
        )
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


# Short pieces of JSON, put together at random: most of it is nearly right.
PIECES = st.sampled_from(
    [
        *rb'{ } [ ] , : " "a" "b": "name":"x" 1 - 0 1.5 e5 true null fals \u00e9 \ud83d'.split(),
        *rb"\ude00 \ ' / NaN".split(),
        *(b" ", b"\n", b"\xc3\xa9", b"\xff", b"\x00", b"\x1f", b"\x7f"),
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=12).map(b"".join), st.booleans())
def test_what_is_json_python_says_too(pieces: bytes, wrap: bool) -> None:
    text = b'{"unknown":' + pieces + b"}" if wrap else pieces
    assert (not read(CREATE, text).malformed) == is_json(text)
