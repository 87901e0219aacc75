"""The simulation is tested too: each deliberate bug is caught within a few seeds of where such bugs live."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, caught

BUDGET = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_deliberate_bug_is_caught(mutant: Mutant) -> None:
    assert caught(mutant, BUDGET, focused=True), f"{mutant.name} survived {BUDGET} seeds"
