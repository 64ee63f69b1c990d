"""What docs/webhooks.md has receivers do, in three languages, with deliveries as they come."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from edge.gateway.settings import ROOT
from portico_kit.testing.clocks import OffsetClock
from server.features.webhooks import signing_keys
from server.features.webhooks.delivery.deliverer import Deliverer
from server.features.webhooks.delivery.event_fan_out import EventFanOut
from server.features.webhooks.secret import new_secret, seal
from server.features.webhooks.signing_keys import new_key_pair
from tests.go import build, requires_go
from tests.node import requires_node, run
from tests.workers.harness import Received, Receiver, Subscription, Tenants

PAGE = ROOT / "docs" / "webhooks.md"
SECONDS = 60

# Each reads the cases, and prints for each whether it verifies.
PYTHON = """
import json, sys
cases = json.load(open(sys.argv[1]))
print(json.dumps([verify(one["key"], one["headers"], one["body"].encode()) for one in cases]))
"""
NODE = """
import { readFileSync } from "node:fs";
const cases = JSON.parse(readFileSync(process.argv[2]));
const verified = cases.map((one) => verify(one.key, one.headers, Buffer.from(one.body)));
console.log(JSON.stringify(verified));
"""
GO = """package main

import (
	"encoding/json"
	"os"
)

func main() {
	var cases []struct {
		Key, Body string
		Headers   map[string]string
	}
	text, err := os.ReadFile(os.Args[1])
	if err == nil {
		err = json.Unmarshal(text, &cases)
	}
	if err != nil {
		panic(err)
	}
	verified := make([]bool, len(cases))
	for i, one := range cases {
		id, timestamp := one.Headers["webhook-id"], one.Headers["webhook-timestamp"]
		signatures := one.Headers["webhook-signature"]
		verified[i] = Verify(one.Key, id, timestamp, signatures, []byte(one.Body))
	}
	json.NewEncoder(os.Stdout).Encode(verified)
}
"""


def snippet(language: str) -> str:
    """The code of a language on the page."""
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    return str(found)


@dataclass(frozen=True)
class Case:
    """A delivery, a key, and whether it is good."""

    name: str
    good: bool
    key: str
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Cases:
    """All that a receiver can meet."""

    file: Path
    expected: list[bool]
    names: list[str]

    def judged(self, output: str) -> None:
        """Compares what a program said with what is right."""
        verified = json.loads(output)
        wrong = [
            name
            for name, good, said in zip(self.names, self.expected, verified, strict=True)
            if good != said
        ]
        assert not wrong


def _without(text: str, version: str) -> str:
    return " ".join(one for one in text.split(" ") if not one.startswith(f"{version},"))


def _cases(request: Received, keys: Mapping[str, str]) -> list[Case]:
    """What is made of one delivery that was signed during the overlap of a rotation."""
    body, headers = request.body.decode(), dict(request.headers)
    signature = headers["webhook-signature"]

    def signed(text: str) -> dict[str, str]:
        return {**headers, "webhook-signature": text}

    cases = [Case(f"{name} key", True, key, headers, body) for name, key in keys.items()]
    for version, kind in (("v1", "new_secret"), ("v1a", "new_public")):
        key = keys[kind]
        other = "v1a" if version == "v1" else "v1"
        cases += [
            Case(f"{version}: body changed", False, key, headers, body + " "),
            Case(
                f"{version}: id changed",
                False,
                key,
                {**headers, "webhook-id": str(UUID(int=1))},
                body,
            ),
            Case(
                f"{version}: blanks", True, key, signed(f"  {signature.replace(' ', '  ')} "), body
            ),
            Case(
                f"{version}: only the other", False, key, signed(_without(signature, version)), body
            ),
            Case(
                f"{version}: renamed",
                False,
                key,
                signed(_without(signature, version).replace(f"{other},", f"{version},")),
                body,
            ),
            Case(
                f"{version}: unknown versions, too",
                True,
                key,
                signed(f"v9,AAAA x {signature}"),
                body,
            ),
            Case(
                f"{version}: garbage, too",
                True,
                key,
                signed(f"{version} {version},A {version},=== {version},é , {signature}"),
                body,
            ),
            Case(f"{version}: no headers", False, key, {}, body),
            Case(f"{version}: none", False, key, signed(""), body),
            Case(f"{version}: empty", False, key, signed(f"{version},"), body),
            Case(
                f"{version}: time changed",
                False,
                key,
                {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)},
                body,
            ),
            Case(f"{version}: no time", False, key, {**headers, "webhook-timestamp": "soon"}, body),
        ]
    strangers = {"secret": new_secret(), "public": _shown(b"\1" * 32)}
    return cases + [
        Case(f"{name} of another", False, key, headers, body) for name, key in strangers.items()
    ]


def _shown(public: bytes) -> str:
    return signing_keys.shown(public)


@pytest.fixture
async def cases(
    tenants: Tenants,
    webhook: Subscription,
    receiver: Receiver,
    clock: OffsetClock,
    fan_out_events: EventFanOut,
    deliverer: Deliverer,
    tmp_path: Path,
) -> Cases:
    """Real deliveries, and what can be made of them."""
    secret = new_secret()
    old, new = new_key_pair(tenants.secrets), new_key_pair(tenants.secrets)
    overlap = clock() + timedelta(hours=1)
    await tenants.change(
        webhook,
        signing="both",
        sealed_previous_secret=seal(tenants.secrets, secret),
        previous_secret_expires_at=overlap,
        public_key=new.public,
        sealed_private_key=new.sealed,
        previous_public_key=old.public,
        sealed_previous_private_key=old.sealed,
        previous_key_expires_at=overlap,
    )
    await fan_out_events()
    await deliverer.settle()
    organization_id = (await tenants.delivery(webhook)).organization_id
    # Made too long ago, and by a clock that is ahead.
    for shift in (-310, 620):
        clock.advance(timedelta(seconds=shift))
        await tenants.event(organization_id)
        await fan_out_events()
        await deliverer.settle()
    now, past, future = receiver.requests
    keys = {
        "new_secret": webhook.secret,
        "old_secret": secret,
        "new_public": _shown(new.public),
        "old_public": _shown(old.public),
    }
    every = _cases(now, keys) + [
        Case(f"{when} {name}", False, key, request.headers, request.body.decode())
        for when, request in (("past", past), ("future", future))
        for name, key in keys.items()
    ]
    file = tmp_path / "cases.json"
    told = [{"key": one.key, "headers": dict(one.headers), "body": one.body} for one in every]
    file.write_text(json.dumps(told))
    return Cases(file, [one.good for one in every], [one.name for one in every])


def test_receivers_in_python_verify(cases: Cases, tmp_path: Path) -> None:
    program = tmp_path / "receiver.py"
    program.write_text(snippet("python") + PYTHON)
    cases.judged(run([sys.executable, str(program), str(cases.file)], tmp_path, SECONDS))


@requires_node
def test_receivers_in_node_verify(cases: Cases, tmp_path: Path) -> None:
    program = tmp_path / "receiver.mjs"
    program.write_text(snippet("javascript") + NODE)
    cases.judged(run(["node", str(program), str(cases.file)], tmp_path, SECONDS))


@requires_go
def test_receivers_in_go_verify(cases: Cases, tmp_path: Path) -> None:
    package = tmp_path / "receiver"
    package.mkdir()
    files = {"verify.go": snippet("go"), "main.go": GO, "go.sum": ""}
    files["go.mod"] = "module receiver\n\ngo 1.26\n"
    for name, content in files.items():
        (package / name).write_text(content)
    cases.judged(run([str(build(package)), str(cases.file)], tmp_path, SECONDS))


def test_receivers_take_the_keys_of_their_webhook_alone_from_a_key_set() -> None:
    ours, theirs = UUID(int=1), UUID(int=2)
    keys = [signing_keys.jwk(ours, b"a" * 32), signing_keys.jwk(theirs, b"b" * 32)]
    keys.append(signing_keys.jwk(ours, b"c" * 32))
    namespace: dict[str, Any] = {}
    exec(snippet("python"), namespace)  # noqa: S102
    found = namespace["keys_of"](str(ours), {"keys": keys})
    assert found == [_shown(b"a" * 32), _shown(b"c" * 32)]
