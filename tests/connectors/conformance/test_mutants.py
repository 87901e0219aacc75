"""The kit is worth what it catches: for every scenario there is a broken connector that only looks right."""

from __future__ import annotations

import pytest

from connectors.conformance.suite import SCENARIOS, judge
from tests.connectors.conformance.mutants import MUTANTS, Mutant, unwatched
from tests.connectors.conformance.rotating import CONNECTOR as ROTATING


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.scenario.name}-{mutant.name}")
def test_a_broken_connector_is_caught(mutant: Mutant) -> None:
    verdict = mutant.verdict()

    assert verdict.status == "failed"
    assert verdict.sentence


def test_every_scenario_has_one_to_catch() -> None:
    assert unwatched() == set()


def test_a_scenario_without_one_would_be_noticed() -> None:
    assert unwatched(MUTANTS[1:]) == {"read-back"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_sound_one_behind_the_rotating_ones_passes(scenario) -> None:
    assert judge(ROTATING, scenario).status != "failed"
