"""Promises about limit categories: the contract, the core, the gateway and the limiter agree."""

from __future__ import annotations

import pytest
from portico.type.v1 import options_pb2

from edge.ratelimit.policy import DescriptorWarning, charge_for
from portico_contract.limit_categories import LIMITED, LimitCategory

CONTRACT = [value for value in options_pb2.LimitCategory.values() if value]


def test_each_category_of_the_contract_is_known_and_no_other() -> None:
    assert {LimitCategory.of(value) for value in CONTRACT} == set(LimitCategory)


@pytest.mark.parametrize("category", LIMITED)
def test_each_category_has_a_rule_in_the_limiter(category: LimitCategory) -> None:
    charge = charge_for({"category": category, "subject": "somebody", "tier": "pro"}, 1, {})
    assert charge.rule == category
    assert all(budget.windows for budget in charge.budgets)
    assert DescriptorWarning.UNKNOWN_CATEGORY not in charge.warnings


def test_what_is_never_limited_has_no_rule() -> None:
    charge = charge_for({"category": LimitCategory.UNLIMITED}, 1, {})
    assert DescriptorWarning.UNKNOWN_CATEGORY in charge.warnings


def test_a_method_without_a_category_is_refused() -> None:
    with pytest.raises(ValueError, match="unspecified"):
        LimitCategory.of(options_pb2.LIMIT_CATEGORY_UNSPECIFIED)
