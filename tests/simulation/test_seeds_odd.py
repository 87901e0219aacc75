"""A thousand fixed seeds, the odd ones: whatever is interleaved, the invariants of the simulation hold."""

from __future__ import annotations

import pytest

from tests.simulation.gate import failures

EACH = 50


@pytest.mark.parametrize("first", range(1, 2_000, 2 * EACH))
def test_every_invariant_holds(first: int) -> None:
    assert not failures(range(first, first + 2 * EACH, 2))
