"""Filters: patterns over the JSON of an event that say which events are sent.

A pattern is a JSON object. Its members are conditions, and all must hold. A member whose
name begins with "$" is an operator on the value at this place; any other goes one level down,
to the member of that name. In place of an object, a text, a number, true, false or null stands
for `$eq`. What is not there equals null, as unset members are left out of events.

Of a list, one item must meet all conditions of an object. `$neq`, `$nin`, `$not`, `$or`,
`$and` and `$exists` are about the list as a whole: `{"$neq": "a"}` says that no item is "a".

A pattern is compiled once, into nested functions. It can hold no regular expression, and each
of its parts looks at each part of an event at most once: the cost of a decision is linear.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 4096
MAX_DEPTH = 8
MAX_NODES = 100
# What is wrong travels in the trailers of the answer, which have a limit of 8 KB.
MAX_PROBLEMS = 10
MAX_PATH = 60

Condition = Callable[[Any], bool]


class _Missing:
    """Stands for what an event does not have."""


_MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class FilterProblem:
    """One mistake in a pattern.

    Attributes:
        path: where it is in the pattern, "data.tier.$in[0]"; "" for the whole.
        description: what is wrong, as the end of a sentence.
    """

    path: str
    description: str


class FilterError(ValueError):
    """A pattern that is no filter.

    Attributes:
        problems: its mistakes, `MAX_PROBLEMS` at the most.
    """

    def __init__(self, problems: tuple[FilterProblem, ...]) -> None:
        super().__init__("; ".join(f"{one.path} {one.description}" for one in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class _Part:
    """One member of a pattern: whether it holds for the value that its object is about."""

    path: str
    holds: Condition
    name: str = ""
    inner: tuple[_Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled pattern.

    Attributes:
        matches: whether the JSON of an event (type, timestamp, id, organizationId, data)
            matches the pattern.
    """

    matches: Condition
    _parts: tuple[_Part, ...]

    def mismatch(self, event: Mapping[str, Any]) -> str:
        """The path of the first condition that an event does not meet; "" if it matches."""
        return "" if self.matches(event) else _mismatch(self._parts, event)


def compile_filter(pattern: Mapping[str, Any]) -> Filter:
    """Makes a filter of a pattern, in time that is linear in its size.

    Args:
        pattern: JSON as Python has it. Without a member, it matches every event.

    Raises:
        FilterError: naming each mistake by its path.
    """
    if not pattern:
        return Filter(_always, ())
    problems = tuple(_too_large(pattern))
    if not problems:
        compiler = _Compiler()
        condition, parts = compiler.conditions(dict(pattern), "")
        problems = tuple(compiler.problems[:MAX_PROBLEMS])
    if problems:
        raise FilterError(problems)
    return Filter(condition, parts)


def _mismatch(parts: tuple[_Part, ...], value: Any) -> str:
    for part in parts:
        if not part.holds(value):
            inner = value.get(part.name, _MISSING) if isinstance(value, dict) else _MISSING
            # Which item of a list comes closest is not said.
            deeper = "" if isinstance(inner, list) else _mismatch(part.inner, inner)
            return deeper or part.path
    return ""


def _too_large(pattern: Mapping[str, Any]) -> Iterator[FilterProblem]:
    """What is larger than a filter may be; nothing else is looked at then."""
    # Level by level, so that no depth is too much for the stack.
    nodes, depth = 0, 0
    level: list[Any] = [pattern]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            yield FilterProblem("", f"has more than {MAX_DEPTH} levels")
            return
        inner = [value for each in level for value in _children(each)]
        nodes += len(inner)
        level = [value for value in inner if isinstance(value, dict | list)]
    if nodes > MAX_NODES:
        yield FilterProblem("", f"has more than {MAX_NODES} values")
    size = len(
        json.dumps(pattern, ensure_ascii=False, separators=(",", ":")).encode(
            errors="surrogatepass"
        )
    )
    if size > MAX_BYTES:
        yield FilterProblem("", f"is longer than {MAX_BYTES} bytes")


def _children(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else list(value)


class _Compiler:
    """Compiles one pattern, and collects what is wrong with it."""

    def __init__(self) -> None:
        self.problems: list[FilterProblem] = []

    def conditions(self, pattern: Any, path: str) -> tuple[Condition, tuple[_Part, ...]]:
        """An object of conditions on one value."""
        if not isinstance(pattern, dict) or not pattern:
            return self._wrong(path, "must be an object with at least one member"), ()
        # What one item of a list must meet together, and what is about the list.
        single: list[Condition] = []
        whole: list[Condition] = []
        parts: list[_Part] = []
        for name, operand in pattern.items():
            place = f"{path}.{name}".removeprefix(".")
            if name.startswith("$"):
                condition = self._operator(name, operand, place)
                (whole if name in _WHOLE else single).append(condition)
                parts.append(_Part(place, condition if name in _WHOLE else _any_item(condition)))
            else:
                inner, inner_parts = self._value(operand, place)
                condition = _member(self._name(name, place), inner)
                single.append(condition)
                parts.append(_Part(place, _any_item(condition), name, inner_parts))
        found = [_any_item(_all(single))] if single else []
        return _all([*found, *whole]), tuple(parts)

    def _value(self, operand: Any, path: str) -> tuple[Condition, tuple[_Part, ...]]:
        """What the member of a pattern says of the value at its place."""
        if isinstance(operand, dict):
            return self.conditions(operand, path)
        if isinstance(operand, list):
            return self._wrong(path, "must not be a list; $in has a list of values"), ()
        return _any_item(self._equal(operand, path)), ()

    def _operator(self, name: str, operand: Any, path: str) -> Condition:
        compile_operand = _OPERATORS.get(name)
        if compile_operand is None:
            known = ", ".join(_OPERATORS)
            return self._wrong(path, f"is not an operator; the operators are {known}")
        return compile_operand(self, operand, path)

    def _equal(self, operand: Any, path: str) -> Condition:
        return _one_of([self._scalar(operand, path)])

    def _not_equal(self, operand: Any, path: str) -> Condition:
        return _not(_any_item(self._equal(operand, path)))

    def _in(self, operand: Any, path: str) -> Condition:
        if not isinstance(operand, list) or not operand:
            return self._wrong(path, "must be a list of at least one value")
        return _one_of([self._scalar(one, f"{path}[{n}]") for n, one in enumerate(operand)])

    def _not_in(self, operand: Any, path: str) -> Condition:
        return _not(_any_item(self._in(operand, path)))

    def _compared(self, operand: Any, path: str, holds: Callable[[Any, Any], bool]) -> Condition:
        """Compares values of the operand's kind; all others are not comparable."""
        limit = self._scalar(operand, path)
        if isinstance(limit, str):
            return lambda value: type(value) is str and holds(value, limit)
        if _is_number(limit):
            return lambda value: (
                (type(value) is int or type(value) is float) and holds(value, limit)
            )
        if not isinstance(operand, dict | list):
            return self._wrong(path, "must be a text or a number")
        return _never

    def _starts_with(self, operand: Any, path: str) -> Condition:
        start = self._nonempty_text(operand, path)
        return lambda value: type(value) is str and value.startswith(start)

    def _ends_with(self, operand: Any, path: str) -> Condition:
        end = self._nonempty_text(operand, path)
        return lambda value: type(value) is str and value.endswith(end)

    def _exists(self, operand: Any, path: str) -> Condition:
        if not isinstance(operand, bool):
            return self._wrong(path, "must be true or false")
        return lambda value: (value is not _MISSING) is operand

    def _or(self, operand: Any, path: str) -> Condition:
        return _some(self._alternatives(operand, path))

    def _and(self, operand: Any, path: str) -> Condition:
        return _all(self._alternatives(operand, path))

    def _not_(self, operand: Any, path: str) -> Condition:
        return _not(self._value(operand, path)[0])

    def _alternatives(self, operand: Any, path: str) -> list[Condition]:
        if not isinstance(operand, list) or not operand:
            return [self._wrong(path, "must be a list of at least one pattern")]
        return [self._value(one, f"{path}[{n}]")[0] for n, one in enumerate(operand)]

    def _nonempty_text(self, operand: Any, path: str) -> str:
        if not isinstance(operand, str) or not operand:
            self._wrong(path, "must be a text that is not empty")
            return ""
        return self._text(operand, path)

    def _scalar(self, operand: Any, path: str) -> Any:
        if isinstance(operand, dict | list):
            self._wrong(path, "must be a text, a number, true, false or null")
            return None
        if isinstance(operand, float) and not math.isfinite(operand):
            self._wrong(path, "must be a finite number")
        return self._text(operand, path) if isinstance(operand, str) else operand

    def _name(self, name: str, path: str) -> str:
        # Or it would never match, which nobody would notice.
        if "." in name:
            self._wrong(path, 'must not contain a dot; {"a.b": 1} is written {"a": {"b": 1}}')
        return self._text(name, path)

    def _text(self, text: str, path: str) -> str:
        # No event has one, and the database cannot store it.
        if "\0" in text:
            self._wrong(path, "must not contain U+0000")
        return text

    def _wrong(self, path: str, description: str) -> Condition:
        self.problems.append(FilterProblem(path[:MAX_PATH], description))
        return _never


_OPERATORS: Mapping[str, Callable[[_Compiler, Any, str], Condition]] = {
    "$eq": _Compiler._equal,
    "$neq": _Compiler._not_equal,
    "$gt": lambda self, operand, path: self._compared(operand, path, operator.gt),
    "$gte": lambda self, operand, path: self._compared(operand, path, operator.ge),
    "$lt": lambda self, operand, path: self._compared(operand, path, operator.lt),
    "$lte": lambda self, operand, path: self._compared(operand, path, operator.le),
    "$in": _Compiler._in,
    "$nin": _Compiler._not_in,
    "$startsWith": _Compiler._starts_with,
    "$endsWith": _Compiler._ends_with,
    "$exists": _Compiler._exists,
    "$or": _Compiler._or,
    "$and": _Compiler._and,
    "$not": _Compiler._not_,
}
# Those that are about a list, and not about an item of it.
_WHOLE = frozenset({"$neq", "$nin", "$exists", "$or", "$and", "$not"})


def _always(value: Any) -> bool:
    return True


def _never(value: Any) -> bool:
    return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _one_of(values: list[Any]) -> Condition:
    """Whether a value is one of some; true is no number, and null is what is not there."""
    texts = frozenset(one for one in values if isinstance(one, str))
    numbers = frozenset(one for one in values if _is_number(one))
    truths = frozenset(one for one in values if isinstance(one, bool))
    nothing = None in values

    def condition(value: Any) -> bool:
        kind = type(value)
        if kind is str:
            return value in texts
        if kind is int or kind is float:
            return value in numbers
        if kind is bool:
            return value in truths
        return nothing and (value is None or value is _MISSING)

    return condition


def _member(name: str, inner: Condition) -> Condition:
    def condition(value: Any) -> bool:
        return inner(value.get(name, _MISSING) if type(value) is dict else _MISSING)

    return condition


def _any_item(single: Condition) -> Condition:
    def condition(value: Any) -> bool:
        if type(value) is not list:
            return single(value)
        for item in value:  # noqa: SIM110 - any() takes twice as long
            if single(item):
                return True
        return False

    return condition


def _all(conditions: list[Condition]) -> Condition:
    if len(conditions) == 1:
        return conditions[0]
    several = tuple(conditions)

    def condition(value: Any) -> bool:
        for one in several:  # noqa: SIM110 - all() takes twice as long
            if not one(value):
                return False
        return True

    return condition


def _some(conditions: list[Condition]) -> Condition:
    several = tuple(conditions)

    def condition(value: Any) -> bool:
        for one in several:  # noqa: SIM110 - any() takes twice as long
            if one(value):
                return True
        return False

    return condition


def _not(inner: Condition) -> Condition:
    return lambda value: not inner(value)
