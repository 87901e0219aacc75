"""What the order of the tests names is there: a file that is renamed would lose its place without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scheduling import AROUND_ONE, FILLING, turn

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("named", [*(name for group in AROUND_ONE for name in group), FILLING])
def test_every_file_that_has_a_place_in_the_order_is_there(named: str) -> None:
    assert (ROOT / named).exists()


def test_servers_come_first_and_the_simulation_last() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "tests").rglob("test_*.py"))]

    ordered = sorted(files, key=turn)

    assert ordered[0] in AROUND_ONE[0]
    assert ordered[-1].startswith(FILLING)
