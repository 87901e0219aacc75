"""Every connector of ours passes the kit on its own simulator."""

from __future__ import annotations

import pytest

from connectors.conformance.scenario import Scenario
from connectors.conformance.suite import SCENARIOS, judge
from connectors.registry import connector, names


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("name", names())
def test_a_connector_passes(name: str, scenario: Scenario) -> None:
    verdict = judge(connector(name), scenario)

    assert verdict.status != "failed", verdict.sentence and verdict.sentence.en


def test_every_scenario_is_about_some_connector_or_says_what_it_needs() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 40
    assert all(scenario.text.vi and scenario.text.en for scenario in SCENARIOS)
