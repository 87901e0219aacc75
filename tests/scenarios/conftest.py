"""Worlds in which everything happens in one order: all three marketplaces, or one of them after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scenarios.world import MARKETPLACES, Inline, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, pool=Inline)
    yield made
    made.close()


@pytest.fixture(params=MARKETPLACES)
def market(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lone(tmp_path: Path, market: str) -> Iterator[World]:
    """A world with this one marketplace."""
    made = World(tmp_path, (market,), pool=Inline)
    yield made
    made.close()
