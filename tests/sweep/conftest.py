"""One nursery for the tests of a worker, and homes to spoil."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sweep.__main__ import MEMORY
from tests.sweep.nursery import Nursery
from tests.sweep.scenarios import SCENARIOS, Scenario, Yard
from tests.sweep.sweep import Workshop


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as started:
        yield started


@pytest.fixture(scope="session")
def workshop(nursery: Nursery) -> Iterator[Workshop]:
    """In memory where there is such a place: what ends here are processes, not disks."""
    with tempfile.TemporaryDirectory(prefix="caybeo-sweep-", dir=MEMORY if MEMORY.is_dir() else None) as place:
        yield Workshop(nursery, Path(place))


@pytest.fixture
def yard_of(workshop: Workshop) -> Callable[[str], Yard]:
    """A fresh copy of what a scenario begins with."""
    return lambda name: workshop.yard(scenario_of(name))


def scenario_of(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)
