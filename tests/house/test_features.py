"""What a feature declares is complete: nothing that is forgotten is silent."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

import server.features
from portico_contract import event_types, organization_permissions
from portico_contract.model import OTHER_NAMES
from portico_kit.storage.base import Base
from server.app import EVENTS, FEATURES, MAILS, ROLES
from server.common.event_names import ALIASES
from server.common.mail import Mail
from server.common.roles import Role, roles
from server.core import build
from server.feature import Feature, unique
from server.parts import Provided
from server.settings import Settings
from workers.schedule import INTERVALS

BY_NAME = {feature.name: feature for feature in FEATURES}


def folders() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(server.features.__path__)}


def test_every_folder_is_a_feature_of_the_app() -> None:
    assert set(BY_NAME) == folders()


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_declares_every_table_of_its_folder(feature: Feature) -> None:
    declared = {model.__tablename__ for model in feature.tables().models}
    module = f"server.features.{feature.name}"
    found = {
        cast("Any", mapper.class_).__tablename__
        for mapper in Base.registry.mappers
        if mapper.class_.__module__.startswith(f"{module}.")
    }
    assert found <= declared


def test_every_table_belongs_to_a_feature() -> None:
    declared = Counter(
        model.__tablename__ for feature in FEATURES for model in feature.tables().models
    )
    assert set(declared) == set(Base.metadata.tables)
    assert set(declared.values()) == {1}


def test_every_mail_is_declared() -> None:
    modules = [importlib.import_module(f"server.features.{name}") for name in folders()]
    for module in modules:
        for found in pkgutil.walk_packages(module.__path__, f"{module.__name__}."):
            importlib.import_module(found.name)
    gc.unfreeze()  # what tests/conftest.py has frozen is among them
    written = {one.name for one in gc.get_objects() if isinstance(one, Mail)}
    gc.freeze()
    assert written == set(MAILS)
    assert len(MAILS) == sum(len(feature.mails) for feature in FEATURES)


def test_every_event_of_the_contract_is_declared_and_said() -> None:
    assert set(event_types()) <= set(EVENTS)
    assert all(text.endswith(".") for text in EVENTS.values())
    assert len(EVENTS) == sum(len(feature.events) for feature in FEATURES)


def test_other_names_of_events_are_those_of_the_contract_and_of_no_event() -> None:
    assert set(OTHER_NAMES) == set(ALIASES)
    assert set(ALIASES.values()) <= set(event_types())
    assert not set(ALIASES) & set(event_types())


def test_every_permission_of_the_contract_has_a_role_and_no_other() -> None:
    declared = {name for feature in FEATURES for name in feature.permissions}
    assert declared == organization_permissions()


def test_each_role_may_do_all_that_a_lesser_one_may() -> None:
    held = [ROLES[role] for role in Role]
    assert all(less < more for less, more in pairwise(held))
    assert roles({"a:read": Role.MEMBER})["viewer"] == frozenset()
    assert roles({"a:read": Role.MEMBER})["admin"] == {"a:read"}


def test_every_task_that_is_due_is_some_features() -> None:
    scheduled = [task for feature in FEATURES for task in feature.schedule]
    assert len(scheduled) == len(set(scheduled))
    assert set(scheduled) < set(INTERVALS)


class Something:
    """What a feature offers."""


def test_what_is_offered_is_made_once_and_when_it_is_asked_for() -> None:
    provided = Provided()
    made: list[Something] = []

    def make() -> Something:
        made.append(Something())
        return made[-1]

    provided.provide(Something, make)
    assert made == []
    assert provided.get(Something) is provided.get(Something)
    assert len(made) == 1


def test_what_nobody_offers_or_two_do_is_an_error_at_the_start() -> None:
    provided = Provided()
    with pytest.raises(LookupError, match="Something"):
        provided.get(Something)
    provided.provide(Something, Something)
    with pytest.raises(ValueError, match="twice"):
        provided.provide(Something, Something)


def test_what_keeps_to_projects_is_a_permission_of_the_same_feature() -> None:
    assert all(feature.project_permissions <= set(feature.permissions) for feature in FEATURES)


def test_a_name_that_two_features_declare_is_an_error_at_the_start() -> None:
    ours, theirs = {"thing.created": "Ours."}, {"thing.created": "Theirs."}
    assert unique("event", ours.items()) == ours
    with pytest.raises(ValueError, match=r"event 'thing\.created' is declared twice"):
        unique("event", [*ours.items(), *theirs.items()])


OFFENDER = """
import dataclasses, datetime
import server.features.health.feature as health
from server.common.roles import Role
from server.features.keys.feature import FEATURE as KEYS
from server.features.webhooks.feature import FEATURE as WEBHOOKS
health.FEATURE = dataclasses.replace(health.FEATURE, {declared})
import server.app, workers.schedule
"""


@pytest.mark.parametrize(
    ("what", "declared"),
    [
        ("permission", "permissions={'keys:write': Role.VIEWER}"),
        ("event", "events={'project.created': 'Something else.'}"),
        ("mail", "mails=KEYS.mails"),
        ("scheduled task", "schedule=WEBHOOKS.schedule"),
    ],
)
def test_the_app_does_not_start_with_a_feature_that_declares_what_another_has(
    what: str, declared: str
) -> None:
    found = subprocess.run(
        [sys.executable, "-c", OFFENDER.format(declared=declared)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode != 0
    assert re.search(rf"ValueError: the {what} '.+' is declared twice", found.stderr)


@pytest.mark.parametrize(
    ("what", "declared"),
    [
        ("service", {"serve": BY_NAME["projects"].serve}),
        ("probe", {"probes": BY_NAME["health"].probes}),
        ("constraint", {"tables": BY_NAME["organizations"].tables}),
    ],
)
async def test_the_core_is_not_built_of_features_of_which_two_have_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str, declared: dict[str, Any]
) -> None:
    offender = replace(Feature(name="offender"), **declared)
    monkeypatch.setattr("server.core.FEATURES", (*FEATURES, offender))
    settings = Settings(
        runtime_dir=tmp_path,
        database_url="postgresql://nobody@127.0.0.1:1/nothing",
        redis_url="redis://127.0.0.1:1",
        secret_key=SecretStr(b64encode(bytes(32)).decode()),
        internal_token=SecretStr("an internal token for the tests only"),
    )
    with pytest.raises(ValueError, match=f"the {what} '.+' is declared twice"):
        build(settings)
