"""The event catalogue: complete, valid, exemplified, and guarded against changes that break."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from cli.event_schemas import breaks, problems, read
from cli.generate import ROOT
from cli.generate.events import write_events
from portico_contract import CONTRACT_FILE, event_types
from tests.support.event_schemas import faults

FOLDER = ROOT / "generated" / "events"
CATALOGUE = read(FOLDER)


def test_every_event_type_is_in_the_catalogue_and_no_other() -> None:
    assert set(CATALOGUE) == set(event_types())


def test_each_example_is_what_its_schema_says() -> None:
    for name, document in CATALOGUE.items():
        jsonschema_rs.meta.validate(document["schema"])
        assert document["schema"]["$id"] == f"urn:portico:event:{name}:{document['version']}"
        assert document["schema"]["properties"]["type"] == {"const": name}
        assert document["example"]["data"]
    wrong = {name: faults(document["example"]) for name, document in CATALOGUE.items()}
    assert not any(wrong.values()), wrong


def test_examples_say_what_happened() -> None:
    def data(name: str) -> dict[str, Any]:
        found: dict[str, Any] = CATALOGUE[name]["example"]["data"]
        return found

    revoked = data("key.revoked")
    assert (revoked["status"], "revokedAt" in revoked) == ("revoked", True)
    assert (data("key.created")["status"], "revokedAt" in data("key.created")) == ("active", False)
    assert data("session.ended")["endReason"] == "signed_out"
    assert data("session.created")["endReason"] == ""
    assert data("webhook.disabled")["enabled"] is False
    organization = CATALOGUE["key.created"]["example"]["organizationId"]
    assert data("key.created")["organizationId"] == organization
    assert data("organization.updated")["id"] == organization


def test_every_member_has_a_type_and_none_is_held_to_a_list_that_grows() -> None:
    members = {
        (name, message, member): schema
        for name, document in CATALOGUE.items()
        for message, described in document["schema"]["$defs"].items()
        for member, schema in described["properties"].items()
    }
    assert [place for place, schema in members.items() if not {"type", "$ref"} & set(schema)] == []
    webhook = CATALOGUE["webhook.created"]["schema"]["$defs"]["Webhook"]["properties"]
    assert webhook["eventTypes"]["items"] == {"type": "string"}


def test_no_schema_has_a_credential() -> None:
    names = {
        name
        for document in CATALOGUE.values()
        for message in document["schema"]["$defs"].values()
        for name in message["properties"]
    }
    assert names.isdisjoint({"secret", "password", "token", "clientSecret", "sealedSecret"})


def remove(schema: dict[str, Any]) -> None:
    del schema["$defs"]["ApiKey"]["properties"]["name"]


def make_optional(schema: dict[str, Any]) -> None:
    schema["$defs"]["ApiKey"]["required"].remove("name")


def retype(schema: dict[str, Any]) -> None:
    schema["$defs"]["ApiKey"]["properties"]["name"]["type"] = "integer"


def retype_deep(schema: dict[str, Any]) -> None:
    schema["$defs"]["ApiKeyLimits"]["properties"]["perDay"]["type"] = "string"


def retype_items(schema: dict[str, Any]) -> None:
    schema["$defs"]["ApiKey"]["properties"]["scopes"]["items"]["type"] = "object"


def drop_envelope(schema: dict[str, Any]) -> None:
    del schema["properties"]["timestamp"]


def add(schema: dict[str, Any]) -> None:
    schema["$defs"]["ApiKey"]["properties"]["color"] = {"type": "string"}
    schema["$defs"]["ApiKey"]["required"].append("color")


def reword(schema: dict[str, Any]) -> None:
    schema["$defs"]["ApiKey"]["properties"]["name"]["description"] = "What people call it."


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (remove, ["data.name was removed"]),
        (make_optional, ["data.name is no longer always present"]),
        (retype, ["data.name has another type"]),
        (retype_deep, ["data.limits.perDay has another type"]),
        (retype_items, ["data.scopes[] has another type"]),
        (drop_envelope, ["timestamp was removed"]),
        (add, []),
        (reword, []),
    ],
)
def test_what_breaks_receivers_is_found(
    change: Callable[[dict[str, Any]], None], found: list[str]
) -> None:
    before = CATALOGUE["key.created"]["schema"]
    after = deepcopy(before)
    change(after)
    assert list(breaks(before, after)) == found


def test_a_schema_that_changes_gets_another_version() -> None:
    before = {"key.created": CATALOGUE["key.created"]}
    after = deepcopy(before)
    add(after["key.created"]["schema"])
    assert "the version did not" in "".join(problems(before, after))
    after["key.created"]["version"] += 1
    assert list(problems(before, after)) == []
    assert "version fell" in "".join(problems(after, before))
    assert list(problems(before, {})) == ["key.created: the event type was removed"]


def test_the_generator_raises_the_version_when_the_schema_changes_and_for_no_text(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "generated" / "events"
    shutil.copytree(FOLDER, folder)
    (tmp_path / "generated" / "descriptor.binpb").write_bytes(CONTRACT_FILE.read_bytes())
    # As if the contract had changed since these were generated.
    for name, change in {"key.created": reword, "key.revoked": add, "key.updated": retype}.items():
        document = deepcopy(CATALOGUE[name])
        change(document["schema"])
        (folder / f"{name}.json").write_text(json.dumps(document))
    (folder / "key.forgotten.json").write_text("{}")
    (folder / "key.rotated.json").unlink()
    versions = write_events(tmp_path)
    before = {name: document["version"] for name, document in CATALOGUE.items()}
    raised = {name: before[name] + 1 for name in ("key.revoked", "key.updated")}
    assert versions == {**before, **raised, "key.rotated": 1}
    after = read(folder)
    assert after["key.revoked"]["schema"]["$id"].endswith(f":{versions['key.revoked']}")
    assert set(after) == set(CATALOGUE)


def test_the_gate_refuses_a_folder_that_breaks_receivers(tmp_path: Path) -> None:
    after = deepcopy(CATALOGUE["key.created"])
    remove(after["schema"])
    (tmp_path / "key.created.json").write_text(json.dumps(after))
    command = [sys.executable, "-m", "cli.event_schemas", str(FOLDER), str(tmp_path)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "key.created: data.name was removed\n" in refused.stderr
    assert "key.revoked: the event type was removed\n" in refused.stderr
    command[-1] = str(FOLDER)
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
