"""Every fault point that the source names is found, and some scenario passes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sweep.__main__ import KILLS, OTHERS, jobs_of, passing
from tests.sweep.points import Nameless, points
from tests.sweep.scenarios import SCENARIOS
from tests.sweep.sweep import Workshop

SOURCE = """
def work(database, name):
    fp("file.written")
    with writing(database, "plan") as db, self._transaction("send") as other:
        fp(f"{name}.begin")
    return writing(database, name)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for package in ("flows", "connectors", "models"):
        (tmp_path / package).mkdir()
    return tmp_path


def test_points_and_the_three_stages_of_each_transaction_are_read_from_the_source(root: Path) -> None:
    (root / "flows" / "a.py").write_text(SOURCE)

    stages = [f"{name}.{stage}" for name in ("plan", "send") for stage in ("begin", "commit", "end")]
    assert points(root) == sorted(["file.written", *stages])


def test_a_point_whose_name_is_not_written_out_is_refused(root: Path) -> None:
    (root / "models" / "a.py").write_text("def work(database):\n    with writing(database, NAMES[0]):\n        pass\n")

    with pytest.raises(Nameless):
        points(root)


def test_neighbouring_points_are_disturbed_in_different_scenarios() -> None:
    jobs = [jobs_of("send.commit", SCENARIOS, number, every=False) for number in range(2)]

    assert [len(some) for some in jobs] == [KILLS + len(OTHERS)] * 2
    assert jobs[0][0][0] != jobs[1][0][0]
    assert len(jobs_of("send.commit", SCENARIOS, 0, every=True)) == len(SCENARIOS) + len(OTHERS)


@pytest.mark.slow
def test_every_point_of_the_source_is_passed_by_a_scenario(workshop: Workshop) -> None:
    """A new point finds its scenarios by itself; one that none of them passes needs a scenario of its own."""
    with ThreadPoolExecutor(4) as pool:
        passed = passing(workshop, pool)

    assert sorted(set(points()) - set(passed)) == []
    assert sorted(set(passed) - set(points())) == []
