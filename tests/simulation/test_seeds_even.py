"""A thousand fixed seeds, the even ones: whatever is interleaved, the invariants of the simulation hold."""

from __future__ import annotations

import pytest

from tests.simulation.gate import failures, known

EACH = 50


def test_seeds_that_once_failed_hold_for_good() -> None:
    assert not failures(known())


@pytest.mark.parametrize("first", range(0, 2_000, 2 * EACH))
def test_every_invariant_holds(first: int) -> None:
    assert not failures(range(first, first + 2 * EACH, 2))
