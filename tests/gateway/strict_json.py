"""The script that reads bodies, run in LuaJIT as Envoy does it, without Envoy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lupa import luajit21

from edge.gateway.settings import ROOT

# Reads a body for a method; keys and values of the answer as bytes.
_READ = b"""
local contract = dofile(LUA_DIR .. "/contract.lua")
local strict_json = dofile(LUA_DIR .. "/strict_json.lua")
return function(verb, path, body)
  for _, method in ipairs(contract.methods) do
    if method.verb == verb and method.path == path then
      return strict_json.read(body, method.body, method.masked)
    end
  end
  error("no such method")
end
"""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a body."""

    field: str
    code: str
    message: str


@dataclass(frozen=True)
class Reading:
    """What the script says of a body.

    Attributes:
        malformed: why it is no JSON, or "".
        no_object: whether it is JSON, but no object.
        mask: the names that stood in it, of a PATCH.
    """

    malformed: str
    no_object: bool
    problems: tuple[Problem, ...]
    mask: tuple[str, ...]

    @property
    def accepted(self) -> bool:
        """Whether the body would be let through."""
        return not (self.malformed or self.no_object or self.problems)


class Reader:
    """Reads bodies with envoy/strict_json.lua."""

    def __init__(self) -> None:
        lua = luajit21.LuaRuntime(encoding=None)
        lua.execute(f'LUA_DIR = "{ROOT / "envoy"}"'.encode())
        self._read = lua.execute(_READ)

    def read(self, verb: str, path: str, body: bytes) -> Reading:
        """Reads a body for the method with this URL."""
        answer: Any = self._read(verb.encode(), path.encode(), body)
        problems = (answer[b"problems"] or _NO_TABLE).values()
        return Reading(
            malformed=(answer[b"malformed"] or b"").decode(),
            no_object=bool(answer[b"no_object"]),
            problems=tuple(
                Problem(*(problem[name].decode() for name in (b"field", b"code", b"message")))
                for problem in problems
            ),
            mask=tuple(name.decode() for name in (answer[b"mask"] or _NO_TABLE).values()),
        )


_NO_TABLE: dict[bytes, Any] = {}
