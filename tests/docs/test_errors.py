"""Every refusal has a reason of its own, and docs/errors.md tells all of them."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator

from grpc import StatusCode

import portico_kit
import server
from edge.authorize.render import PROOF_REASONS
from edge.gateway import replies
from portico_kit.errors import DomainError
from tests.docs.tables import ROOT, rows

_STATUS = re.compile(r'^  \[(\d+)\] = \{ (\d+), "[A-Z_]+" \},$', re.MULTILINE)
_EXCEPTION = re.compile(r'if code == "([A-Z_]+)" then http = (\d+) end')


def refusals() -> list[type[DomainError]]:
    """Every refusal of the core, whichever file it stands in."""
    for package in (portico_kit, server):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith("server.migrations."):
                importlib.import_module(module.name)
    rooms = ("portico_kit.", "server.")
    found = {kind for kind in _descendants(DomainError) if kind.__module__.startswith(rooms)}
    return sorted(found, key=lambda kind: kind.reason)


def _descendants(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)


def http_status(kind: type[DomainError]) -> str:
    """What REST callers see, as the gateway's own script has it."""
    script = (ROOT / "envoy" / "envelope.lua").read_text()
    by_code: dict[int, str] = {int(code): http for code, http in _STATUS.findall(script)}
    assert len(by_code) == len(StatusCode) - 1
    exceptions: dict[str, str] = dict(_EXCEPTION.findall(script))
    return exceptions.get(kind.reason, by_code[kind.code])


def message(kind: type[DomainError]) -> str:
    """What a caller reads, without the facts of an occurrence."""
    return kind.__new__(kind).message


def gateway_reasons() -> set[tuple[str, int]]:
    """What the gateway refuses by itself, with the HTTP status that is sent."""
    told = (*replies.REPLIES, replies._OTHER_FAILURE, replies._OTHER_REFUSAL)
    found = {(reply.code, reply.instead or reply.status) for reply in told}
    proofs = {(reason, 401) for reason in PROOF_REASONS.values()}
    return found | set(replies.BODY_REASONS) | proofs


def test_a_reason_belongs_to_one_refusal_alone() -> None:
    reasons = Counter(kind.reason for kind in refusals())
    assert [reason for reason, count in reasons.items() if count > 1] == []


def test_a_refusal_is_called_by_one_name() -> None:
    names = Counter(kind.__name__ for kind in refusals())
    assert [name for name, count in names.items() if count > 1] == []


def test_a_refusal_says_its_reason_and_what_it_means() -> None:
    for kind in refusals():
        assert "reason" in vars(kind), kind
        assert kind.__doc__, kind


def test_each_refusal_is_documented_as_it_is() -> None:
    documented = [row for row in rows("errors.md") if len(row) == 4]
    assert documented == [
        (kind.reason, kind.code.name, http_status(kind), message(kind)) for kind in refusals()
    ]


def test_what_the_gateway_refuses_by_itself_is_documented() -> None:
    documented = {
        (row[0], int(status))
        for row in rows("errors.md")
        if len(row) == 3
        for status in row[1].split(", ")
    }
    core = {kind.reason for kind in refusals()}
    assert documented == {pair for pair in gateway_reasons() if pair[0] not in core}
