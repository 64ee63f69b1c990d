"""Filters by themselves: what matches, what is refused, and that it costs little. No server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.features.webhooks.filters import FilterError, compile_filter

EVENT = {
    "type": "key.revoked",
    "timestamp": "2026-02-01T12:00:00Z",
    "data": {
        "tier": "pro",
        "count": 3,
        "share": 0.5,
        "enabled": True,
        "note": "",
        "scopes": ["keys:read", "keys:write"],
        "none": [],
        "limits": {"perMinute": 600},
        "secrets": [{"id": "a", "uses": 1}, {"id": "b", "uses": 9}],
    },
}

MATCHES: list[dict[str, Any]] = [
    {},
    {"type": "key.revoked"},
    {"data": {"tier": "pro", "count": 3, "share": 0.5, "enabled": True, "note": ""}},
    {"data": {"count": 3.0}},
    {"data": {"limits": {"perMinute": {"$gte": 600, "$lt": 601}}}},
    {"data": {"tier": {"$in": ["pro", "enterprise"]}}},
    {"data": {"tier": {"$nin": ["free", "basic"]}}},
    {"data": {"tier": {"$neq": "free"}}},
    {"type": {"$startsWith": "key.", "$endsWith": ".revoked"}},
    {"timestamp": {"$gt": "2026-01-01", "$lte": "2026-02-01T12:00:00Z"}},
    {"data": {"scopes": "keys:write"}},
    {"data": {"scopes": {"$startsWith": "keys:w"}}},
    {"data": {"scopes": {"$nin": ["members:read"]}}},
    {"data": {"none": {"$exists": True}}},
    # One item meets all conditions.
    {"data": {"secrets": {"id": "b", "uses": {"$gt": 5}}}},
    # What is not there.
    {"data": {"revokedBy": None}},
    {"data": {"revokedBy": {"$exists": False}}},
    {"data": {"revokedBy": {"id": {"$exists": False}}}},
    {"data": {"revokedBy": {"$neq": "ada"}}},
    {"data": {"tier": {"id": None}}},
    {"$or": [{"type": "key.created"}, {"data": {"tier": "pro"}}]},
    {"data": {"tier": {"$or": ["free", {"$startsWith": "p"}]}}},
    {"$and": [{"type": {"$exists": True}}, {"data": {"count": {"$gt": 2}}}]},
    {"$not": {"data": {"tier": "free"}}},
    {"data": {"tier": {"$not": "free"}}},
]
DOES_NOT_MATCH: list[dict[str, Any]] = [
    {"type": "key.created"},
    {"data": {"tier": "pro", "count": 4}},
    {"data": {"enabled": 1}},
    {"data": {"count": True}},
    {"data": {"count": "3"}},
    {"data": {"tier": {"$gt": 1}}},
    {"data": {"count": {"$lt": "4"}}},
    {"data": {"enabled": {"$gte": 0}}},
    {"data": {"note": None}},
    {"data": {"scopes": {"$neq": "keys:read"}}},
    {"data": {"scopes": {"$nin": ["keys:read"]}}},
    {"data": {"none": "keys:read"}},
    {"data": {"secrets": {"id": "a", "uses": {"$gt": 5}}}},
    {"data": {"tier": {"$exists": False}}},
    {"data": {"limits": "600"}},
    {"data": {"revokedBy": {"$startsWith": "a"}}},
    {"$or": [{"type": "key.created"}, {"data": {"tier": "free"}}]},
    {"$not": {"type": {"$startsWith": "key."}}},
]


@pytest.mark.parametrize("pattern", MATCHES, ids=json.dumps)
def test_an_event_that_meets_all_conditions_matches(pattern: dict[str, Any]) -> None:
    assert compile_filter(pattern).matches(EVENT)
    assert compile_filter(pattern).mismatch(EVENT) == ""


@pytest.mark.parametrize("pattern", DOES_NOT_MATCH, ids=json.dumps)
def test_an_event_that_does_not_meet_one_does_not_match(pattern: dict[str, Any]) -> None:
    assert not compile_filter(pattern).matches(EVENT)
    assert compile_filter(pattern).mismatch(EVENT)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ({"type": "key.created"}, "type"),
        ({"type": "key.revoked", "data": {"tier": {"$in": ["free"]}}}, "data.tier.$in"),
        ({"data": {"limits": {"perMinute": {"$gt": 1, "$lt": 2}}}}, "data.limits.perMinute.$lt"),
        ({"$or": [{"type": "a"}, {"type": "b"}]}, "$or"),
        ({"data": {"secrets": {"id": "a", "uses": 9}}}, "data.secrets"),
    ],
    ids=json.dumps,
)
def test_the_first_condition_that_is_not_met_is_named(pattern: dict[str, Any], path: str) -> None:
    assert compile_filter(pattern).mismatch(EVENT) == path


def nested(levels: int) -> dict[str, Any]:
    pattern: Any = "a"
    for _ in range(levels):
        pattern = {"a": pattern}
    found: dict[str, Any] = pattern
    return found


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ({"data": {}}, "data"),
        ({"data.tier": "pro"}, "data.tier"),
        ({"data": {"tier": ["pro"]}}, "data.tier"),
        ({"data": {"tier": {"$regex": "^(a+)+$"}}}, "data.tier.$regex"),
        ({"data": {"tier": {"$in": "pro"}}}, "data.tier.$in"),
        ({"data": {"tier": {"$in": []}}}, "data.tier.$in"),
        ({"data": {"tier": {"$nin": ["pro", {"a": 1}]}}}, "data.tier.$nin[1]"),
        ({"data": {"tier": {"$gt": None}}}, "data.tier.$gt"),
        ({"data": {"tier": {"$gt": True}}}, "data.tier.$gt"),
        ({"data": {"tier": {"$lte": ["a"]}}}, "data.tier.$lte"),
        ({"data": {"tier": {"$eq": float("nan")}}}, "data.tier.$eq"),
        ({"data": {"tier": {"$lt": float("inf")}}}, "data.tier.$lt"),
        ({"data": {"tier": {"$startsWith": ""}}}, "data.tier.$startsWith"),
        ({"data": {"tier": {"$endsWith": 1}}}, "data.tier.$endsWith"),
        ({"data": {"tier": {"$exists": 1}}}, "data.tier.$exists"),
        ({"data": {"tier": "a\0b"}}, "data.tier"),
        ({"data": {"ti\0er": "a"}}, "data.ti\0er"),
        ({"$or": []}, "$or"),
        ({"$or": {"type": "a"}}, "$or"),
        ({"$or": [{"type": "a"}, {}]}, "$or[1]"),
        ({"$and": [{"type": {"$is": 1}}]}, "$and[0].type.$is"),
        ({"$not": []}, "$not"),
        (nested(9), ""),
        (nested(500), ""),
        ({"type": {"$in": ["a"] * 99}}, ""),
        ({"type": {"$in": ["a" * 2048] * 2}}, ""),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_what_is_no_filter_is_refused_with_the_place_of_the_mistake(
    pattern: dict[str, Any], path: str
) -> None:
    with pytest.raises(FilterError) as refused:
        compile_filter(pattern)
    assert [one.path for one in refused.value.problems] == [path]


def test_all_mistakes_are_named_at_once_but_no_more_than_ten() -> None:
    with pytest.raises(FilterError) as refused:
        compile_filter({f"a{n}" * 100: {"$no": 1} for n in range(12)})
    problems = refused.value.problems
    assert len(problems) == 10
    assert max(len(one.path) for one in problems) == 60


def test_the_largest_filters_are_taken() -> None:
    assert compile_filter(nested(8)).mismatch({"a": 1}) == "a.a.a.a.a.a.a.a"
    assert compile_filter({"type": {"$in": ["a"] * 98}}).matches({"type": "a"})


def test_the_dearest_filter_on_a_large_event_costs_what_its_length_says() -> None:
    names = [f"n{n}" for n in range(24)]
    pattern = {"$or": [{"data": {"items": {name: "no"}}} for name in names]}
    event = {"data": {"items": [dict.fromkeys(names, "yes") for _ in range(1000)]}}
    began = time.process_time()
    assert not compile_filter(pattern).matches(event)
    # 24 conditions on 1,000 items: some 10 ms. A cost that multiplies would be seconds.
    assert time.process_time() - began < 1


# A second evaluator, as simple as can be, to hold the first against.

SCALARS = st.none() | st.booleans() | st.sampled_from([0, 1, 2.5, "", "a", "ab", "b"])
NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
COMPARABLE = st.sampled_from([0, 1, 2.5, "a", "b"])
TEXTS = st.sampled_from(["a", "b", "ab"])


def _operators(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(inner, min_size=1, max_size=2)
    several = st.lists(SCALARS, min_size=1, max_size=3)
    return st.one_of(
        st.dictionaries(NAMES, inner, min_size=1, max_size=2),
        st.fixed_dictionaries(
            {},
            optional={
                "$eq": SCALARS,
                "$neq": SCALARS,
                "$gt": COMPARABLE,
                "$gte": COMPARABLE,
                "$lt": COMPARABLE,
                "$lte": COMPARABLE,
                "$in": several,
                "$nin": several,
                "$startsWith": TEXTS,
                "$endsWith": TEXTS,
                "$exists": st.booleans(),
                "$or": some,
                "$and": some,
                "$not": inner,
                "a": inner,
            },
        ).filter(bool),
    )


PATTERNS = st.recursive(SCALARS, _operators, max_leaves=6).filter(lambda one: isinstance(one, dict))
MISSING: Any = object()


def same(value: Any, wanted: Any) -> bool:
    if wanted is None:
        return value is None or value is MISSING
    alike = isinstance(value, bool) == isinstance(wanted, bool)
    return bool(alike and not isinstance(value, dict | list) and value == wanted)


def comparable(value: Any, limit: Any) -> bool:
    if isinstance(limit, str):
        return isinstance(value, str)
    return isinstance(value, int | float) and not isinstance(value, bool)


def naive(pattern: Any, value: Any) -> bool:
    """Whether a value matches, by the definition."""
    if not isinstance(pattern, dict):
        pattern = {"$eq": pattern}
    about_item = {k: v for k, v in pattern.items() if k not in WHOLE}
    items = value if isinstance(value, list) else [value]
    if about_item and not any(
        all(item_meets(k, v, item) for k, v in about_item.items()) for item in items
    ):
        return False
    return all(whole_meets(k, v, value) for k, v in pattern.items() if k in WHOLE)


WHOLE = {"$neq", "$nin", "$exists", "$or", "$and", "$not"}


def whole_meets(name: str, operand: Any, value: Any) -> bool:
    match name:
        case "$neq":
            return not naive({"$eq": operand}, value)
        case "$nin":
            return not naive({"$in": operand}, value)
        case "$exists":
            return bool((value is not MISSING) == operand)
        case "$or":
            return any(naive(one, value) for one in operand)
        case "$and":
            return all(naive(one, value) for one in operand)
    return not naive(operand, value)


ITEM_MEETS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": same,
    "$in": lambda item, operand: any(same(item, one) for one in operand),
    "$startsWith": lambda item, operand: isinstance(item, str) and item.startswith(operand),
    "$endsWith": lambda item, operand: isinstance(item, str) and item.endswith(operand),
    "$gt": lambda item, operand: comparable(item, operand) and bool(item > operand),
    "$gte": lambda item, operand: comparable(item, operand) and bool(item >= operand),
    "$lt": lambda item, operand: comparable(item, operand) and bool(item < operand),
    "$lte": lambda item, operand: comparable(item, operand) and bool(item <= operand),
}


def item_meets(name: str, operand: Any, item: Any) -> bool:
    if name in ITEM_MEETS:
        return ITEM_MEETS[name](item, operand)
    return naive(operand, item.get(name, MISSING) if isinstance(item, dict) else MISSING)


@given(pattern=PATTERNS, event=st.dictionaries(NAMES, VALUES, max_size=3))
def test_a_filter_decides_as_the_definition_says(
    pattern: dict[str, Any], event: dict[str, Any]
) -> None:
    try:
        compiled = compile_filter(pattern)
    except FilterError as error:
        assert error.problems[0].path == ""  # noqa: PT017 - it is too deep or has too many values
        return
    assert compiled.matches(event) == naive(pattern, event)
    assert (compiled.mismatch(event) == "") == compiled.matches(event)


@given(pattern=st.dictionaries(st.text(), VALUES, max_size=4), event=VALUES)
def test_whatever_is_given_is_a_filter_or_refused(pattern: dict[str, Any], event: Any) -> None:
    try:
        compiled = compile_filter(pattern)
    except FilterError as error:
        assert error.problems  # noqa: PT017
    else:
        assert compiled.matches(event) in (True, False)
