"""Path templates: their variables, and which verbs a path answers to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from portico_contract import Binding, Method

_VARIABLE = re.compile(r"\{([a-z_.]+)\}")
_LUA_MAGIC = re.compile(r"([\^$()%.\[\]*+\-?])")


def camel(name: str) -> str:
    """A proto field path as the public JSON spells it: "per_minute" is "perMinute"."""
    return re.sub(r"_([a-z])", lambda match: match.group(1).upper(), name)


def variables(template: str) -> list[str]:
    """The variables of a path template, in order, as fields of the request."""
    return _VARIABLE.findall(template)


def bindings(methods: Iterable[Method]) -> list[Binding]:
    """The REST forms of those methods that have one."""
    return [method.rest for method in methods if method.rest is not None]


def shadowing_parameters(methods: Iterable[Method]) -> list[str]:
    """The query parameters that could overrule a path variable, in both spellings.

    The transcoder lets `/users/1?userId=2` name user 2, so every one of them
    has to be ignored.
    """
    names = {name for binding in bindings(methods) for name in variables(binding.template)}
    return sorted(names | {camel(name) for name in names})


def path_table(forms: Iterable[Binding]) -> list[dict[str, str]]:
    """For each path a Lua pattern and the value of the Allow header, literal paths first."""
    verbs = verbs_by_template(forms)
    ordered = sorted(verbs, key=lambda template: (len(variables(template)), template))
    return [
        {"pattern": _lua_pattern(template), "allow": allow(verbs[template])} for template in ordered
    ]


def verbs_by_template(forms: Iterable[Binding]) -> dict[str, set[str]]:
    """The verbs that each path template is bound to; with GET comes HEAD (RFC 9110, 9.1),
    but for a stream, whose headers nobody could have without opening it.
    """
    verbs: dict[str, set[str]] = {}
    for form in forms:
        bound = {form.verb, "HEAD"} if form.answers_head else {form.verb}
        verbs.setdefault(form.template, set()).update(bound)
    return verbs


def allow(verbs: Iterable[str]) -> str:
    """The value of the Allow header; OPTIONS answers everywhere, with this header."""
    return ", ".join(sorted({*verbs, "OPTIONS"}))


def shadowed_verbs(forms: Iterable[Binding]) -> dict[str, set[str]]:
    """For literal paths the verbs that only a template with variables has for them.

    `DELETE /users/me` is not the deletion of a user named "me".
    """
    verbs = verbs_by_template(forms)
    shadowed = {
        path: {
            verb
            for other, bound in verbs.items()
            if variables(other) and re.fullmatch(_VARIABLE.sub("[^/]+", other), path)
            for verb in bound
        }
        - own
        for path, own in verbs.items()
        if not variables(path)
    }
    return {path: found for path, found in sorted(shadowed.items()) if found}


def _lua_pattern(template: str) -> str:
    parts = _VARIABLE.split(template)
    literals = [_LUA_MAGIC.sub(r"%\1", part) for part in parts[::2]]
    # The transcoder does not mind a slash at the end.
    return f"^{'[^/]+'.join(literals)}/?$"
