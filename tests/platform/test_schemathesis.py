"""Schemathesis against the live edge: what the OpenAPI document says is what happens."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

from edge.gateway.settings import ROOT
from portico_contract import CONTRACT_FILE, AccessRule, load
from tests.platform.conftest import Tenant
from tests.platform.seed_data import seed
from tests.stack import Stack

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
CALLERS = 12
ADMINISTRATORS = 8
MOST_LIMITED = 0.05
SUCCESS = Counter(range(200, 300))
# What succeeds only with something that the walk does not have: a fresh second factor, a code
# that was sent, an answer of an authenticator, of a provider or of a name server. What these
# answer then is held by the tests of their features.
BEYOND_THE_WALK = {
    "approveAuthorization",
    "approveDeviceAuthorization",
    "beginEmailEnrollment",
    "beginFederatedStepUp",
    "beginSmsEnrollment",
    "cancelFactorReset",
    "cancelReplay",
    "completeChallenge",
    "completeFederatedSignIn",
    "confirmEmailEnrollment",
    "confirmSmsEnrollment",
    "confirmTotpEnrollment",
    "createDomain",
    "createPlatformConnection",
    "createRecoveryCodes",
    "deleteDomain",
    "deleteMe",
    "deleteRememberedDevice",
    "denyAuthorization",
    "denyDeviceAuthorization",
    "finishPasskeyRegistration",
    "getAuthorization",
    "getChallengePasskeyOptions",
    "getDeviceAuthorization",
    "getRequestObject",
    "previewInvitation",
    "receiveLogoutToken",
    "refuseAuthorization",
    "reportSession",
    "resetUserFactors",
    "revokeApplicationSecret",
    "revokeGrant",
    "sendChallengeCode",
    "signInWithPasskey",
    # It would read for an hour.
    "streamEvents",
    "testConnection",
    "unlinkIdentity",
    "verifyDomain",
}


@pytest.mark.timeout(1200)
async def test_the_document_tells_the_truth(stack: Stack, new_tenant: Any, tmp_path: Path) -> None:
    tenants: list[Tenant] = [await new_tenant() for _ in range(CALLERS)]
    callers = await seed(stack, tenants, tenants[:ADMINISTRATORS])
    world = {
        "callers": [asdict(each) for each in callers],
        "administrative": administrative(),
    }
    run = await run_schemathesis(stack, world, tmp_path)
    assert run.exit_code == 0, run.output
    # It says little of a method that only ever refused, or of limits that were met.
    never = {name for name in documented() if not run.answers[name] & SUCCESS} - BEYOND_THE_WALK
    assert not never, f"give `seed_data.py` what these need to succeed: {sorted(never)}"
    statuses = sum(run.answers.values(), Counter())
    assert statuses[429] < statuses.total() * MOST_LIMITED


@dataclass(frozen=True)
class Run:
    """What came of it.

    Attributes:
        answers: how often each operation was answered with each status.
    """

    exit_code: int
    output: str
    answers: Mapping[str, Counter[int]]


def documented() -> set[str]:
    """Every operation of the document."""
    return {_operation_id(m.name) for m in load(CONTRACT_FILE).routed if m.rest is not None}


def administrative() -> list[str]:
    """The operations of those who administer the platform."""
    rule = AccessRule.PLATFORM_PERMISSION
    return [_operation_id(m.name) for m in load(CONTRACT_FILE).routed if m.access is rule]


def _operation_id(name: str) -> str:
    return name[0].lower() + name[1:]


async def run_schemathesis(stack: Stack, world: Mapping[str, Any], folder: Path) -> Run:
    """Runs it to the end, in a process of its own."""
    world_file, answers_file = folder / "world.json", folder / "answers"
    world_file.write_text(json.dumps(world))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)),
        *("--no-color", "run", f"{stack.base_url}/api/v1/openapi.json"),
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_WORLD": str(world_file),
            "SCHEMATHESIS_ANSWERS": str(answers_file),
        },
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    answers: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for line in answers_file.read_text().splitlines():
        operation, status = line.split()
        answers[operation][int(status)] += 1
    return Run(process.returncode or 0, output.decode(), answers)
